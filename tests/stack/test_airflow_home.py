"""Airflow's home has secrets of its own, for its owner's eyes alone, and a bounded catch-up."""

import configparser
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.settings import Settings
from headrace.airflow_home import SQLITE_WAIT_SECONDS, airflow_environment, first_hour, prepare_home

AT_NINE = datetime(2026, 1, 31, 9, 20, tzinfo=UTC)


def configuration(folder: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(folder / "airflow.cfg")
    return parser


def test_secrets_and_passwords_are_made_once_and_differ_between_homes(tmp_path: Path) -> None:
    home, other = prepare_home(Settings(root=tmp_path / "a")), prepare_home(Settings(root=tmp_path / "b"))
    before = (home.folder / "airflow.cfg").read_text()
    assert prepare_home(Settings(root=tmp_path / "a")) == home
    assert (home.folder / "airflow.cfg").read_text() == before
    assert set(home.passwords) == {"admin", "viewer"} and not set(home.passwords.values()) & set(
        other.passwords.values()
    )
    for section, name in (("api_auth", "jwt_secret"), ("core", "fernet_key"), ("api", "secret_key")):
        assert len(configuration(home.folder)[section][name]) >= 44
        assert configuration(home.folder)[section][name] != configuration(other.folder)[section][name]
    assert len(configuration(home.folder)["api_auth"]["jwt_secret"]) >= 64


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    home = prepare_home(Settings(root=tmp_path))
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
    for name in ("airflow.cfg", "passwords.json", "secrets.json"):
        assert stat.S_IMODE((home.folder / name).stat().st_mode) == 0o600


def test_everything_listens_on_loopback_at_the_port_of_the_settings(tmp_path: Path) -> None:
    home = prepare_home(Settings(root=tmp_path, airflow_port=9999))
    assert home.url == "http://127.0.0.1:9999"
    found = configuration(home.folder)
    assert (found["api"]["host"], found["api"]["port"]) == ("127.0.0.1", "9999")
    assert found["core"]["execution_api_server_url"] == "http://127.0.0.1:9999/execution/"


@pytest.mark.parametrize("url", ["postgresql+psycopg2://air:p%40ss@db/airflow", ""])
def test_the_database_is_sqlite_unless_the_settings_name_one(url: str, tmp_path: Path) -> None:
    home = prepare_home(Settings(root=tmp_path, airflow_database_url=url))
    expected = url or f"sqlite:///{home.folder}/airflow.db?timeout={SQLITE_WAIT_SECONDS}"
    assert configuration(home.folder)["database"]["sql_alchemy_conn"] == expected


def test_a_stall_is_made_up_for_as_far_as_the_settings_say_and_never_before_the_first_start(tmp_path: Path) -> None:
    assert first_hour(tmp_path, 24, AT_NINE).key == "2026-01-31T08"
    assert first_hour(tmp_path, 24, AT_NINE.replace(hour=15)).key == "2026-01-31T08"
    assert first_hour(tmp_path, 24, AT_NINE.replace(month=3)).key == "2026-03-30T09"


def test_processes_inherit_an_absolute_root_and_nothing_of_another_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(root=Path("here"), schedule_from="2026-01-31T07")
    environment = airflow_environment(
        settings, prepare_home(settings), {"AIRFLOW__CORE__EXECUTOR": "other", "AIRFLOW_HOME": "/other", "PATH": "/bin"}
    )
    assert environment["AIRFLOW_HOME"] == str(tmp_path / "here" / "airflow") and environment["PATH"] == "/bin"
    assert environment["HEADRACE_ROOT"] == str(tmp_path / "here")
    assert environment["HEADRACE_SCHEDULE_FROM"] == "2026-01-31T07"
    assert "AIRFLOW__CORE__EXECUTOR" not in environment


def test_the_policy_that_airflow_loads_is_ours(tmp_path: Path) -> None:
    home = prepare_home(Settings(root=tmp_path))
    names: dict[str, object] = {}
    exec((home.folder / "config" / "airflow_local_settings.py").read_text(), names)
    assert callable(names["task_instance_mutation_hook"])
    assert json.loads((home.folder / "passwords.json").read_text()) == home.passwords

"""Airflow's home of a local run: configuration, accounts and secrets of its own, never a default one."""

import base64
import configparser
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from contracts.intervals import KEY_FORMAT, Interval
from contracts.pipeline import POOL_SLOTS
from contracts.settings import Layout, Settings
from headrace.ports import LOOPBACK

PROJECT = Path(__file__).resolve().parents[1]
ADMIN, VIEWER = "admin", "viewer"
CONFIG, SECRETS, PASSWORDS, FIRST_HOUR = "airflow.cfg", "secrets.json", "passwords.json", "first_hour"
LOCAL_SETTINGS = "config/airflow_local_settings.py"
SQLITE_WAIT_SECONDS = 60
POLICY = """\"\"\"Airflow looks for its policies here.\"\"\"

from dags.pool_policy import task_instance_mutation_hook

__all__ = ["task_instance_mutation_hook"]
"""


@dataclass(frozen=True, slots=True)
class AirflowHome:
    """Where Airflow lives, and how to log in."""

    folder: Path
    url: str
    passwords: Mapping[str, str]


def prepare_home(settings: Settings) -> AirflowHome:
    """Write Airflow's home under the root, readable by its owner alone; secrets and passwords are made once."""
    folder = settings.root.absolute() / "airflow"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = _remember(folder / SECRETS, {"jwt": _key(64), "session": _key(32), "fernet": _key(32)})
    passwords = _remember(folder / PASSWORDS, {name: secrets.token_urlsafe(12) for name in (ADMIN, VIEWER)})
    parser = configparser.RawConfigParser()
    parser.read_dict(_configuration(settings, folder, keys))
    with _open_private(folder / CONFIG) as stream:
        parser.write(stream)
    (folder / "config").mkdir(exist_ok=True)
    (folder / LOCAL_SETTINGS).write_text(POLICY)
    return AirflowHome(folder, f"http://{LOOPBACK}:{settings.airflow_port}", passwords)


def airflow_environment(settings: Settings, home: AirflowHome, environ: Mapping[str, str]) -> dict[str, str]:
    """Environment of every process of a local run: this one's, with an absolute root and the schedule's first hour."""
    inherited = {name: text for name, text in environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW"))}
    first = settings.schedule_from or first_hour(home.folder, settings.catch_up_hours, datetime.now(UTC)).key
    return inherited | {
        "AIRFLOW_HOME": str(home.folder),
        "HEADRACE_ROOT": str(settings.root.absolute()),
        "HEADRACE_SCHEDULE_FROM": first,
        "PYTHONUNBUFFERED": "1",
    }


def first_hour(folder: Path, catch_up_hours: int, now: datetime) -> Interval:
    """The first hour to make up for: the last complete one of the first start, later at most `catch_up_hours` back."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    file = folder / FIRST_HOUR
    if not file.exists():
        file.write_text(Interval.ending_at(this_hour).key + "\n")
    earliest = (this_hour - timedelta(hours=catch_up_hours)).strftime(KEY_FORMAT)
    return Interval.of_key(max(file.read_text().strip(), earliest))


def _configuration(settings: Settings, folder: Path, keys: Mapping[str, str]) -> dict[str, dict[str, str]]:
    logs, url = Layout(settings.root.absolute()).logs / "airflow", f"http://{LOOPBACK}:{settings.airflow_port}"
    # SQLite has one writer: under load five seconds are not enough of a wait, and a backfill is then refused with 503
    database = settings.airflow_database_url or f"sqlite:///{folder / 'airflow.db'}?timeout={SQLITE_WAIT_SECONDS}"
    plain: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": PROJECT / "dags",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": sum(POOL_SLOTS.values()),
            "simple_auth_manager_users": f"{ADMIN}:admin,{VIEWER}:viewer",
            "simple_auth_manager_passwords_file": folder / PASSWORDS,
            "execution_api_server_url": f"{url}/execution/",
            "hostname_callable": "socket.gethostname",
            "fernet_key": keys["fernet"],
            "max_active_runs_per_dag": settings.catch_up_hours + 1,
        },
        "database": {"sql_alchemy_conn": database},
        "api": {
            "host": LOOPBACK,
            "port": settings.airflow_port,
            "base_url": url,
            "workers": 1,
            "secret_key": keys["session"],
        },
        "api_auth": {"jwt_secret": keys["jwt"]},
        "dag_processor": {"refresh_interval": 30, "parsing_processes": 1},
        "logging": {"base_log_folder": logs, "dag_processor_child_process_log_directory": logs / "dag_processor"},
        "scheduler": {"task_instance_heartbeat_timeout": 120},
    }
    return {
        section: {name: str(value).replace("%", "%%") for name, value in options.items()}
        for section, options in plain.items()
    }


def _remember(file: Path, fresh: Mapping[str, str]) -> dict[str, str]:
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    if missing := fresh.keys() - known.keys():
        known |= {name: fresh[name] for name in missing}
        with _open_private(file) as stream:
            json.dump(known, stream)
    return known


def _open_private(file: Path) -> IO[str]:
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")


def _key(size_bytes: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(size_bytes)).decode()

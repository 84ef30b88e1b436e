"""Keys are kept as digests, taken up without a restart, and useless once revoked."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.errors import BadInput, CorruptData
from headrace.keys import keys_app
from serving.api_keys import (
    ADMIN,
    EVENTS_WRITE,
    READ,
    KeyRing,
    create_demo_keys,
    create_key,
    read_keys,
    revoke_key,
)
from serving.rate_limit import RateLimit


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "var" / "api_keys.json"


def test_only_a_digest_is_kept_and_only_its_owner_reads_it(file: Path) -> None:
    text, key = create_key(file, "web", [EVENTS_WRITE])
    kept = file.read_text()
    assert text not in kept
    assert text.rpartition("_")[2] not in kept
    assert key.sha256 in kept
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(text) > 40


def test_a_change_is_taken_up_without_a_restart(file: Path) -> None:
    ring = KeyRing(file)
    assert ring.find("hr_x_y") is None
    first, _ = create_key(file, "one", [READ])
    found = ring.find(first)
    assert found is not None
    assert (found.name, found.may(READ), found.may(EVENTS_WRITE)) == ("one", True, False)
    second, _ = create_key(file, "two", [ADMIN, READ])
    found = ring.find(second)
    assert found is not None
    assert found.may(EVENTS_WRITE)
    revoke_key(file, "one")
    assert ring.find(first) is None
    assert ring.find(second) is not None
    file.unlink()
    assert ring.find(second) is None


def test_a_damaged_file_leaves_the_keys_known_before(file: Path) -> None:
    ring = KeyRing(file)
    text, _ = create_key(file, "web", [READ])
    assert ring.find(text)
    file.write_text("{")
    assert ring.find(text)
    with pytest.raises(CorruptData, match="restore it"):
        read_keys(file)


def test_mistakes_are_named(file: Path) -> None:
    create_key(file, "web", [READ])
    with pytest.raises(BadInput, match="already called 'web'"):
        create_key(file, "web", [READ])
    with pytest.raises(BadInput, match="'write'; a key takes one or more of read, events:write, admin"):
        create_key(file, "till", ["write"])
    with pytest.raises(BadInput, match="there is web"):
        revoke_key(file, "app")


def test_demo_keys_replace_those_before_and_no_others(file: Path) -> None:
    create_key(file, "mine", [READ])
    old, _ = create_demo_keys(file)
    web, admin = create_demo_keys(file)
    ring = KeyRing(file)
    assert ring.find(old) is None
    assert [key.name for key in read_keys(file)] == ["mine", "demo-web", "demo-admin"]
    found = ring.find(web), ring.find(admin)
    assert found[0] is not None and found[1] is not None
    assert (found[0].may(EVENTS_WRITE), found[0].may(ADMIN), found[1].may(ADMIN)) == (True, False, True)


def test_the_command_line_makes_lists_and_revokes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_ROOT", str(tmp_path))
    run = CliRunner().invoke
    made = run(keys_app, ["create", "--scope", EVENTS_WRITE, "--name", "web"])
    assert made.exit_code == 0
    text = made.output.strip().splitlines()[-1]
    assert KeyRing(tmp_path / "api_keys.json").find(text) is not None
    assert "web" in run(keys_app, ["list"]).output
    assert text not in run(keys_app, ["list"]).output
    assert "revoked web" in run(keys_app, ["revoke", "web"]).output
    assert json.loads((tmp_path / "api_keys.json").read_text()) == {"keys": []}


def test_a_bucket_fills_again_and_a_batch_may_go_into_debt() -> None:
    now = [0.0]
    limit = RateLimit(10.0, lambda: now[0])
    assert [limit.take("a", 5), limit.take("a", 25), limit.take("b", 10)] == [0, 0, 0]
    assert limit.take("a", 1) == 3
    now[0] = 2.1
    assert limit.take("a", 1) == 0
    now[0] = 100.0
    assert [limit.take("a", 10), limit.take("a", 1)] == [0, 1]

"""`dead-letters` on a real lake folder and a real stream."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from contracts.errors import BadInput, MissingInput
from contracts.lake import EVENTS
from contracts.settings import Settings
from headrace import stream_server
from headrace.__main__ import app
from ingest.gate import Gate
from ingest.producers import open_producer
from tests.ingest.known_events import NOW, SECOND
from tests.ingest.lakes import rows_of
from tests.ingest.letter_lakes import lay_letters, letters_of

VIEW: dict[str, Any] = {"event_type": "view", "user_id": "ann", "occurred_at": NOW - SECOND}


@pytest.fixture
def stream_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An embedded stream's own server, named to the command by the environment."""
    with stream_server.start(tmp_path / "stream") as server:
        monkeypatch.setenv("HEADRACE_STREAM_URL", server.url)
        yield server.url


def run(root: Path, *words: str) -> tuple[int, str]:
    """Exit code and output of `dead-letters WORDS`, or the error that it raised."""
    result = CliRunner().invoke(app, ["dead-letters", *words, "--root", str(root)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def put(root: Path, *bodies: bytes) -> list[str]:
    """Lay what the gate refuses of these into the lake; ids in order."""
    letters = letters_of(*bodies)
    lay_letters(root / "lake", letters)
    return [letter.letter_id for letter in letters]


def archive(root: Path) -> None:
    """Bring what is on the stream into the lake."""
    command = [sys.executable, "-m", "headrace", "archive", "--once", "--root", str(root)]
    subprocess.run(command, check=True, capture_output=True)


def event_count(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return sum(client.xlen(key) for key in client.keys("*") if client.type(key) == b"stream")


def test_a_letter_is_found_mended_and_replayed_once(tmp_path: Path, stream_url: str) -> None:
    (letter,) = put(tmp_path, json.dumps(VIEW | {"event_id": "0b7e3f2c-5d1a-4c8e-9f60-3a2b1c4d5e6f"}).encode())
    _, listed = run(tmp_path, "list")
    assert "item_id_missing" in listed
    assert "an event of this type needs it" in listed
    _, shown = run(tmp_path, "show", letter[:10])
    assert '"user_id": "ann"' in shown
    assert f"replay {letter[:12]} --with FILE" in shown
    assert run(tmp_path, "replay", letter)[0] == 1
    mended = tmp_path / "mended.json"
    mended.write_text(json.dumps(VIEW | {"item_id": "sku-1", "event_id": "0b7e3f2c-5d1a-4c8e-9f60-3a2b1c4d5e6f"}))
    code, told = run(tmp_path, "replay", letter[:12], "--with", str(mended))
    assert (code, "1 events new on the stream, 0 there already" in told) == (0, True), told
    code, told = run(tmp_path, "replay", letter[:12], "--with", str(mended))
    assert (code, "0 events new on the stream, 1 there already" in told) == (0, True), told
    assert event_count(stream_url) == 1


def test_from_the_gate_to_the_lake_and_back_each_event_is_there_once(tmp_path: Path, stream_url: str) -> None:
    good, bad = VIEW | {"item_id": "good"}, VIEW | {"item_id": "late", "occurred_at": "tomorrow"}
    bodies = [
        json.dumps(one | {"event_id": f"0b7e3f2c-5d1a-4c8e-9f60-00000000000{n}"}) for n, one in enumerate((good, bad))
    ]
    producer = open_producer(Settings(stream_url=stream_url))
    for body in bodies * 2:
        verdicts = Gate().check_batch(body.encode(), received_at=NOW, source="shop")
        producer.append([verdict.record for verdict in verdicts], time.monotonic() + 5)
    archive(tmp_path)
    _, listed = run(tmp_path, "list", "--reason", "occurred_at_unreadable")
    letter, _, times = listed.splitlines()[1].split()[:3]
    assert (times, "occurred_at is 'tomorrow'" in listed) == ("2", True), listed
    assert "offset:" in run(tmp_path, "show", letter)[1]
    mended = tmp_path / "mended.json"
    mended.write_text(bodies[1].replace('"tomorrow"', str(NOW)))
    for _ in range(2):
        assert run(tmp_path, "replay", letter, "--with", str(mended))[0] == 0
        archive(tmp_path)
        with redis.Redis.from_url(stream_url) as client:
            client.flushall()  # as after 72 hours, when the stream no longer knows what it has seen
    assert sorted(row["item_id"] for row in rows_of(EVENTS, tmp_path / "lake")) == ["good", "late"]
    producer.close()


def test_all_of_a_reason_are_replayed_and_twice_is_once(tmp_path: Path, stream_url: str) -> None:
    put(tmp_path, *(json.dumps(VIEW | {"item_id": f"sku-{n}"}).encode() for n in range(7)), b"7")
    assert "7 events new on the stream" in run(tmp_path, "replay", "--reason", "event_id_missing")[1]
    assert "7 there already" in run(tmp_path, "replay", "--reason", "event_id_missing")[1]
    assert event_count(stream_url) == 7


def test_the_list_is_cut_to_the_latest_and_counted_whole(tmp_path: Path) -> None:
    put(tmp_path, *(str(number).encode() for number in range(30)), b"{")
    _, listed = run(tmp_path, "list", "--limit", "5")
    assert "26 earlier ones are not shown" in listed
    assert "31 letters: not_an_event 30, not_json 1" in listed
    assert "1 letters: not_json 1" in run(tmp_path, "list", "--reason", "not_json")[1]
    assert "no such dead letters" in run(tmp_path, "list", "--to", "2026-01-01")[1]
    assert "no such dead letters" in run(tmp_path / "nowhere", "list")[1]


def test_nothing_that_strangers_send_commands_the_terminal(tmp_path: Path) -> None:
    letters = put(
        tmp_path, b'{"[bold]x": 1}', b'{"\x1b[2J": 1}', b'{"user_id": "\\u001b[2J\\ud83d", "a": 1}', b"\x9b[bold]"
    )
    outputs = [run(tmp_path, "list")[1], *(run(tmp_path, "show", letter)[1] for letter in letters)]
    assert all(one.isprintable() or one == "\n" for output in outputs for one in output)
    assert "'[bold]x'" in outputs[0]


def test_what_cannot_be_asked_says_what_to_do(tmp_path: Path) -> None:
    put(tmp_path, b"1", b"2")
    with pytest.raises(BadInput, match="choose them by --reason"):
        run(tmp_path, "replay")
    with pytest.raises(MissingInput, match="no dead letter is like that"):
        run(tmp_path, "replay", "--reason", "bad_weather")
    with pytest.raises(BadInput, match="--with mends one letter, and 2 were chosen"):
        run(tmp_path, "replay", "--reason", "not_an_event", "--with", "x.json")
    with pytest.raises(MissingInput, match="dead-letters list"):
        run(tmp_path, "show", "zz")

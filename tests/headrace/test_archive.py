"""The archiver as a process: it ends when told, waits for a server that died, and is the only one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.errors import StoreUnavailable
from contracts.lake_notes import archived_until
from contracts.settings import Settings, as_environment
from headrace import stream_server
from ingest.producers import open_producer
from tests.archive_and_die import lake_of
from tests.ingest.archived import event, event_counts, once_each
from tests.redis_servers import DEBIAN_SERVER

SECONDS = 30.0
APPEND_SECONDS = 1.0


@pytest.fixture(params=[None, pytest.param(DEBIAN_SERVER, marks=pytest.mark.system)], ids=["valkey", "debian-redis"])
def binary(request: pytest.FixtureRequest) -> Path | None:
    made: Path | None = request.param
    return made


@contextmanager
def archiver(settings: Settings, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The command in a process of its own, killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "headrace", "archive", *options],
        env={**os.environ, **as_environment(settings)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_every_acknowledged_event_is_archived_once_whoever_is_killed(tmp_path: Path, binary: Path | None) -> None:
    """Three kills of the stream's server and two of the archiver, while events come in."""
    server = stream_server.start(tmp_path / "stream", binary=binary)
    settings = Settings(root=tmp_path / "root", stream_url=server.url, archive_flush_seconds=0.05)
    producer, acknowledged = open_producer(settings), list[int]()
    number = 0
    for victim in ("server", "archiver", "server", "archiver", "server"):
        with archiver(settings) as process:
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                batch = range(number, number + 20)
                producer.append([event(one) for one in batch], time.monotonic() + APPEND_SECONDS)
                acknowledged += batch
                number += 20
            killed = server.process if victim == "server" else process
            killed.kill()
            killed.wait()
            if victim == "server":
                with pytest.raises(StoreUnavailable):
                    producer.append([event(10**6)], time.monotonic() + APPEND_SECONDS)
                server = stream_server.start(tmp_path / "stream", server.port, binary=binary)
    producer.close()
    with archiver(settings, "--once") as process:
        _, errors = process.communicate(timeout=SECONDS)
    server.stop()
    assert process.returncode == 0, errors
    assert event_counts(settings) == once_each(*acknowledged)


def test_told_to_end_it_finishes_and_says_what_it_did(tmp_path: Path) -> None:
    with stream_server.start(tmp_path / "stream") as server:
        settings = Settings(root=tmp_path / "root", stream_url=server.url, archive_flush_seconds=0.2)
        producer = open_producer(settings)
        producer.append([event(1)], time.monotonic() + SECONDS)
        with archiver(settings) as process:
            _await(lambda: archived_until(lake_of(settings)) is not None)
            producer.append([event(2)], time.monotonic() + SECONDS)
            process.send_signal(signal.SIGTERM)
            output, errors = process.communicate(timeout=SECONDS)
        producer.close()
    assert process.returncode == 0
    assert f"archiving {server.url} into" in output
    assert "event=archived records=1 events=1 duplicates=0" in errors


def test_a_second_archiver_says_who_is_the_first(tmp_path: Path) -> None:
    with stream_server.start(tmp_path / "stream") as server:
        settings = Settings(root=tmp_path / "root", stream_url=server.url)
        with archiver(settings) as first:
            _await(lambda: archived_until(lake_of(settings)) is not None)
            with archiver(settings, "--once") as second:
                _, errors = second.communicate(timeout=SECONDS)
    assert second.returncode == 2
    assert f"another archiver (process {first.pid}) works on" in errors


def test_a_server_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    with archiver(Settings(root=tmp_path, stream_url="redis://127.0.0.1:1/0"), "--once") as process:
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "cannot be reached" in errors
    assert "Traceback" not in errors


def _await(seen: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.02)

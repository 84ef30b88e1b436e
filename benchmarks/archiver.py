"""The archiver beside the gate that feeds it, in the same run; and its memory over millions of events.

`python -m benchmarks.archiver [--turns N] [--events N]`; each turn posts batches of 50 over HTTP for some seconds while
nothing is archived, then archives what came. Then an archiver of its own process is fed for the memory.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.events_senders import post_events
from benchmarks.lookups_world import Server, gunicorn, write_version
from benchmarks.memory import tree_bytes
from benchmarks.report import Figure, show
from contracts.event_contract import Event, record_of_event
from contracts.lake import EVENTS
from contracts.records import Record
from contracts.settings import Layout, Settings, as_environment
from headrace import embedded_redis, stream_server
from ingest.archiver import Archiver
from ingest.consumers import open_consumer
from ingest.redis_stream import RedisProducer
from ingest.stream import StreamFull
from serving.api_keys import EVENTS_WRITE, create_key

BATCH, WORKERS, THREADS = 50, 2, 8
POST_SECONDS = 6.0
GOAL_SPEED, GOAL_MEMORY = 1.2, 1.1
FEED, FEED_BYTES = 500, 256 * 1024**2  # of the stream while memory is watched: the archiver is always behind
SAMPLES = 20
MICROSECONDS_APART = 2_000  # five million events are not quite three hours


@dataclass(frozen=True, slots=True)
class Turn:
    """Events that one turn took, and the seconds on both sides."""

    events: int
    posting_seconds: float
    archiving_seconds: float


def main() -> None:
    """Measure and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--events", type=int, default=5_000_000, help="for the memory")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hr") as name, _place(Path(name)) as (server, key, settings):
        consumer = open_consumer(settings)
        archiver = Archiver(consumer, settings)
        turns = [_turn(server, key, archiver, settings) for _ in range(asked.turns + 1)][1:]
        consumer.close()
    with tempfile.TemporaryDirectory(prefix="hr") as name:
        samples = _feed(Path(name), asked.events)
    conditions = {
        "gunicorn": f"{WORKERS} processes, {THREADS} threads",
        "stream": f"embedded Redis, appendfsync {stream_server.FSYNC}",
        "turns": asked.turns,
        "events for memory": asked.events,
        "load average": f"{os.getloadavg()[0]:.1f}",
    }
    show("archiver", [_speed_figure(turns), *_memory_figures(samples, asked.events)], conditions)


@contextmanager
def _place(folder: Path) -> Iterator[tuple[Server, str, Settings]]:
    key, _ = create_key(folder / "keys.json", "benchmark", [EVENTS_WRITE])
    with embedded_redis.start(folder / "lists") as lists, stream_server.start(folder / "stream") as stream:
        write_version(lists.url, fence=1)
        settings = Settings(
            root=folder / "root",
            redis_url=lists.url,
            stream_url=stream.url,
            stream_max_bytes=8 * 1024**3,
            workers=WORKERS,
            threads=THREADS,
            api_keys_file=str(folder / "keys.json"),
            key_events_per_second=10**9,
        )
        with gunicorn("serving.app:create_app()", as_environment(settings), folder / "log") as server:
            yield server, key, settings


def _turn(server: Server, key: str, archiver: Archiver, settings: Settings) -> Turn:
    before = _archived(settings)
    posted = post_events(server.url, key, size=BATCH, seconds=POST_SECONDS, server_pid=server.pid)
    if posted.socket_errors or posted.not_ok:
        raise RuntimeError(f"{posted.socket_errors} socket errors and {posted.not_ok} answers that are not 2xx")
    started = time.monotonic()
    archiver.run_once()
    seconds = time.monotonic() - started
    events = _archived(settings) - before
    return Turn(events, posted.requests / posted.requests_a_second, seconds)


def _archived(settings: Settings) -> int:
    files = EVENTS.path(Layout(settings.root).lake).rglob("*.parquet")
    return sum(pq.read_metadata(file).num_rows for file in files)


def _feed(folder: Path, events: int) -> list[int]:
    """Bytes of an archiver's process after each of SAMPLES equal shares of the events."""
    with stream_server.start(folder / "stream") as stream:
        settings = Settings(root=folder / "root", stream_url=stream.url, archive_flush_seconds=1.0)
        producer = RedisProducer(stream.url, max_bytes=FEED_BYTES)
        command = [sys.executable, "-m", "headrace", "archive"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, env={**os.environ, **as_environment(settings)}, stdout=log, stderr=log)
        try:
            samples, first_at = [], int(time.time() * 1e6) - events * MICROSECONDS_APART
            peak, share = 0, max(1, events // SAMPLES)
            for start in range(0, events, FEED):
                _append([_event(number, first_at) for number in range(start, min(events, start + FEED))], producer)
                if start % (20 * FEED) == 0:
                    peak = max(peak, tree_bytes(process.pid))
                if (start + FEED) % share < FEED:
                    samples.append(peak)
                    peak = 0
            return samples
        finally:
            producer.close()
            process.terminate()
            process.wait()


def _append(records: list[Record], producer: RedisProducer) -> None:
    while True:
        try:
            producer.append(records, time.monotonic() + 10)
            return
        except StreamFull:
            time.sleep(0.05)


def _event(number: int, first_at: int) -> Record:
    at = first_at + number * MICROSECONDS_APART
    return record_of_event(
        Event(
            event_id=str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)),
            event_type="view",
            source="web",
            user_id=f"user-{number % 60_000:06d}",
            anonymous_id="",
            session_id=f"s-{number // 10}",
            item_id=f"{number % 20_000:07d}",
            occurred_at=at,
            sent_at=at,
            received_at=at,
            context={"channel": "web", "device_type": "phone"},
        )
    )


def _speed_figure(turns: list[Turn]) -> Figure:
    archiving = statistics.median(turn.events / turn.archiving_seconds for turn in turns)
    posting = statistics.median(turn.events / turn.posting_seconds for turn in turns)
    ratio = statistics.median(turn.posting_seconds / turn.archiving_seconds for turn in turns)
    return Figure(
        "events/s archived",
        f"{archiving:,.0f} ({1e6 / archiving:.1f} us an event)",
        f"{posting:,.0f} taken over HTTP in batches of {BATCH}",
        ratio,
        f">= {GOAL_SPEED:g}",
        ratio >= GOAL_SPEED,
    )


def _memory_figures(samples: list[int], events: int) -> list[Figure]:
    quarter = max(1, len(samples) // 4)
    early, late = max(samples[quarter : 2 * quarter]), max(samples[-quarter:])
    growth = late / early
    return [
        Figure(
            f"memory over {events:,} events, last quarter",
            f"{late / 2**20:,.0f} MB",
            f"{early / 2**20:,.0f} MB in the second quarter",
            growth,
            f"<= {GOAL_MEMORY:g}",
            growth <= GOAL_MEMORY,
        )
    ]


if __name__ == "__main__":
    main()

"""From the stream into the lake: each record once, whatever dies when; then the lake says up to when it is whole.

A flush makes its folders ready, commits them by the journal, and only then lets the stream forget. What was committed
and not forgotten comes again, and is known by its id or says what is said already.
"""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from contracts.errors import BadInput, StoreUnavailable
from contracts.lake import DEAD_LETTERS, EVENTS, FORGOTTEN_AT, IMPRESSIONS, ITEMS, TOMBSTONES, USERS
from contracts.lake import Table as LakeTable
from contracts.settings import Layout, Settings
from ingest.archive_journal import Journal
from ingest.archive_rows import rows_of
from ingest.archive_watermark import Watermark
from ingest.hourly_tables import hourly_tables
from ingest.schemas import encode_file
from ingest.scratch import ARCHIVER, open_scratch
from ingest.snapshots import merged_snapshot, read_snapshot
from ingest.spool import FOLDER as SPOOL_FOLDER
from ingest.stream import Consumer, Entry

logger = logging.getLogger(__name__)
LOCK_FILE = ".archiver.lock"
FLUSH_COUNT, FLUSH_BYTES = 100_000, 64 * 1024**2
READ_COUNT, READ_SECONDS = 1_000, 0.25
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 0.5, 10.0
# Heard by tests, which kill the process there.
READ, LAID, FORGOTTEN, NOTED = "read", "laid", "forgotten", "noted"
OnStep = Callable[[str], None]


@dataclass(slots=True)
class Flushed:
    """What one flush came to."""

    records: int
    accepted: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    dirty_hours: list[str] = field(default_factory=list)


class Archiver:
    """Reads one consumer into one lake; hold `only_archiver` while it works."""

    def __init__(self, consumer: Consumer, settings: Settings, on_step: OnStep = lambda step: None) -> None:
        self._consumer = consumer
        self._lake = Layout(settings.root).lake
        self._flush_seconds = settings.archive_flush_seconds
        self._watermark = Watermark(self._lake, settings.root / SPOOL_FOLDER, timedelta(hours=settings.late_hours))
        self._tables = hourly_tables()
        self._held: list[Entry] = []
        self._last_offset = ""
        self._has_recovered = False
        self._on_step = on_step

    def run(self, ending: threading.Event) -> None:
        """Archive until told to end; what cannot be done now is tried again, less and less often."""
        rest = FIRST_REST_SECONDS
        while not ending.is_set():
            try:
                self._turn(ending, self._flush_seconds)
                rest = FIRST_REST_SECONDS
            except (StoreUnavailable, BadInput, OSError) as error:
                self._watermark.rest()
                logger.warning("event=archiver_waits seconds=%.1f held=%d: %s", rest, len(self._held), error)
                ending.wait(rest)
                rest = min(2 * rest, LONGEST_REST_SECONDS)

    def run_once(self) -> None:
        """Archive what is in the stream by now, and come back; StoreUnavailable, BadInput, OSError."""
        nobody, started_at = threading.Event(), time.time()
        while self._turn(nobody, 0.0) or self._consumer.lag_seconds() > time.time() - started_at:
            pass

    def _turn(self, ending: threading.Event, seconds: float) -> int:
        """Read for some seconds or until there is enough, lay it down, move the watermark; records that were read."""
        if not self._has_recovered:
            with open_scratch(self._lake, ARCHIVER):
                Journal(self._lake, self._on_step).recover()
            self._has_recovered = True
        self._collect(ending, seconds)
        count = len(self._held)
        if self._held:
            self._flush()
        self._watermark.advance(self._consumer, self._last_offset)
        self._on_step(NOTED)
        return count

    def _collect(self, ending: threading.Event, seconds: float) -> None:
        until = time.monotonic() + seconds
        held_bytes = sum(len(entry.record.payload) for entry in self._held)
        while len(self._held) < FLUSH_COUNT and held_bytes < FLUSH_BYTES and not ending.is_set():
            left = until - time.monotonic()
            entries = self._consumer.read(
                min(READ_COUNT, FLUSH_COUNT - len(self._held)), max(0.0, min(left, READ_SECONDS))
            )
            self._held += entries
            held_bytes += sum(len(entry.record.payload) for entry in entries)
            if left <= 0 and not entries:
                break
        self._on_step(READ)

    def _flush(self) -> None:
        started = time.monotonic()
        flushed = self._lay(self._held)
        self._on_step(LAID)
        self._consumer.forget(self._held)
        self._on_step(FORGOTTEN)
        self._last_offset = self._held[-1].offset
        self._held = []
        pa.default_memory_pool().release_unused()
        logger.info(
            "event=archived records=%d %s duplicates=%d dirty_hours=%s seconds=%.2f",
            flushed.records,
            " ".join(f"{name}={count}" for name, count in flushed.accepted.items()),
            flushed.duplicates,
            ",".join(flushed.dirty_hours) or "none",
            time.monotonic() - started,
        )

    def _lay(self, entries: list[Entry]) -> Flushed:
        flushed = Flushed(len(entries))
        tables = rows_of(entries)
        with open_scratch(self._lake, ARCHIVER):
            journal = Journal(self._lake, self._on_step)
            journal.recover()
            added = {
                name: self._tables[name].add(tables[name], self._lake, journal) for name in _HOURLY if name in tables
            }
            for table in _SNAPSHOTS:
                if table.name in tables:
                    flushed.accepted[table.name] = _merge(table, tables[table.name], self._lake, journal)
            late = [hour for name in _TIMELY if name in added for hour in added[name].hours]
            flushed.dirty_hours = self._watermark.late_hours(late)
            journal.commit(flushed.dirty_hours)
        for name, came in added.items():
            self._tables[name].remember(came)
            flushed.accepted[name] = came.accepted
            flushed.duplicates += came.duplicates
        return flushed


_HOURLY, _TIMELY = (EVENTS.name, IMPRESSIONS.name, DEAD_LETTERS.name), (EVENTS.name, IMPRESSIONS.name)
_SNAPSHOTS = (ITEMS, USERS, TOMBSTONES)


def _merge(table: LakeTable, rows: pa.Table, lake: Path, journal: Journal) -> int:
    """Stage a snapshot with `rows` in it; of several rows of a key the last counts, of tombstones the latest."""
    if table is TOMBSTONES:
        rows = pa.concat_tables([read_snapshot(table, lake), rows]).sort_by(FORGOTTEN_AT)
    laid, merged = merged_snapshot(table, rows, lake)
    if merged is not None:
        name, data = encode_file(merged)
        journal.stage(table.path(lake), (), name, data)
    return laid.accepted


@contextmanager
def only_archiver(lake: Path) -> Iterator[None]:
    """Be the lake's one archiver; BadInput names the process that is."""
    lake.mkdir(parents=True, exist_ok=True)
    with (lake / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise BadInput(
                f"another archiver (process {lock.read().strip() or 'unknown'}) works on {lake}; one is enough, "
                "and it takes over by itself what a dead one left"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield

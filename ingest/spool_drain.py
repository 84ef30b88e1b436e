"""The thread that gives the spool back to the stream, oldest first, and takes over what dead processes left."""

import fcntl
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from contracts.errors import HeadraceError, StoreUnavailable
from contracts.records import Record
from ingest.spool import LOCK_SUFFIX, Spool
from ingest.spool_segments import SUFFIX, Frame, done_bytes, note_done, read_frames, remove_segment
from ingest.stream import Producer, StreamFull

_T = TypeVar("_T")
logger = logging.getLogger(__name__)
BATCH_COUNT = 500
APPEND_SECONDS = 5.0
LOOK_SECONDS = 5.0  # between looks for files of processes that died
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 0.1, 5.0

# Hears of records that are in the stream now, and which of them are new to it. A record may come again after a crash,
# and then not as new: apply every one, by its id. StoreUnavailable makes the drainer try the same again later.
OnDrained = Callable[[Sequence[Record], Sequence[bool]], None]


class _Stopped(Exception):
    """The drainer was told to end."""


class SpoolDrainer:
    """Drains one spool; `start` after a fork, `stop` before the process ends."""

    def __init__(self, spool: Spool, producer: Producer, on_drained: OnDrained) -> None:
        self._spool = spool
        self._producer = producer
        self._on_drained = on_drained
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="headrace-spool", daemon=True)

    def start(self) -> None:
        """Begin, also with what an earlier process left."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch under way; what is left stays in its files."""
        self._ending.set()
        self._spool.arrived.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._spool.arrived.clear()
            try:
                self._drain_dead()
                for path in self._spool.own_files():
                    self._drain(path)
                    self._spool.release(path)
            except _Stopped:
                break
            except (OSError, HeadraceError):
                logger.exception("spool_drain_failed; it is tried again")
            if not self._spool.pending:
                self._spool.arrived.wait(LOOK_SECONDS)
            elif self._ending.wait(FIRST_REST_SECONDS):
                break
        self._producer.close_mine()

    def _drain_dead(self) -> None:
        for lock_path in sorted(self._spool.folder.glob(f"*{LOCK_SUFFIX}")):
            with _adopted(lock_path) as is_dead:
                if not is_dead:
                    continue
                for path in sorted(lock_path.parent.glob(f"*.{lock_path.stem}{SUFFIX}")):
                    logger.warning("spool_adopted file=%s bytes=%d", path.name, path.stat().st_size)
                    self._drain(path)
                    remove_segment(path)
                lock_path.unlink()

    def _drain(self, path: Path) -> None:
        """Give every whole frame of a file to the stream; the position is noted after each batch."""
        started, count = time.monotonic(), 0
        for hot_only, frames in _batches(path, self._spool.readable_bytes(path)):
            self._give([frame.record for frame in frames], hot_only=hot_only)
            note_done(path, frames[-1].end)
            count += len(frames)
        if count:
            logger.info("spool_drained file=%s records=%d seconds=%.2f", path.name, count, time.monotonic() - started)

    def _give(self, records: list[Record], *, hot_only: bool) -> None:
        news = [True] * len(records)
        if not hot_only:
            news = self._insist(lambda: self._producer.append(records, time.monotonic() + APPEND_SECONDS))
        self._insist(lambda: self._on_drained(records, news))

    def _insist(self, attempt: Callable[[], _T]) -> _T:
        """Try until it succeeds, less and less often."""
        rest = FIRST_REST_SECONDS
        while True:
            if self._ending.is_set():
                raise _Stopped
            try:
                return attempt()
            except (StoreUnavailable, StreamFull) as error:
                logger.warning("spool_waits seconds=%.1f: %s", rest, error)
            self._ending.wait(rest)
            rest = min(2 * rest, LONGEST_REST_SECONDS)


def _batches(path: Path, end: int | None) -> Iterator[tuple[bool, list[Frame]]]:
    for hot_only, frames in itertools.groupby(read_frames(path, done_bytes(path), end), lambda frame: frame.hot_only):
        while batch := list(itertools.islice(frames, BATCH_COUNT)):
            yield hot_only, batch


@contextmanager
def _adopted(lock_path: Path) -> Iterator[bool]:
    """Hold the lock of a process's files, if that process has died; one that lives keeps it."""
    try:
        lock_file = lock_path.open("r+")
    except FileNotFoundError:
        yield False
        return
    with lock_file:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield lock_path.exists()

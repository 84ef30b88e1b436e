"""Local files that take records while the stream's server is away: on the disk before `put` returns, drained in order.

One folder for all processes of a host; each process writes files of its own and holds a lock that says it lives.
"""

import fcntl
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from contracts.errors import HeadraceError
from contracts.records import Record
from ingest.spool_segments import SUFFIX, Segment, done_bytes, pack_frames, read_frames, remove_segment

FOLDER = "spool"  # under the root
SEGMENT_BYTES = 16 * 1024**2
LOCK_SUFFIX = ".lock"


class SpoolFull(HeadraceError):
    """The spool takes no more: it is at its bound, or the disk is full; the sender must wait (503, Retry-After)."""


class Spool:
    """The files of this process; made after a fork, safe to share between threads."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._owner = f"{os.getpid()}-{time.time_ns()}"
        self._lock_path = folder / f"{self._owner}{LOCK_SUFFIX}"
        self._lock_file: TextIO | None = None
        self._changing = threading.Lock()
        self._current: Segment | None = None
        self.arrived = threading.Event()

    @property
    def pending(self) -> bool:
        """Whether records of this process are not drained yet; whoever wants order puts what follows behind them."""
        return any(self.own_files())

    def put(self, records: Sequence[Record], *, hot_only: bool) -> None:
        """Keep records; durable on return. `hot_only` ones are in the stream already. SpoolFull."""
        if not records:
            return
        data = pack_frames(records, hot_only=hot_only)
        try:
            with self._changing:
                self._refuse_beyond_bound(len(data))
                segment = self._writable()
                end = segment.append(data)
            segment.sync(end)
        except OSError as error:
            raise SpoolFull(f"the spool in {self.folder} cannot be written: {error}; is its disk full?") from error
        self.arrived.set()

    def own_files(self) -> list[Path]:
        """Files of this process, oldest first."""
        return sorted(self.folder.glob(f"*.{self._owner}{SUFFIX}"))

    def readable_bytes(self, path: Path) -> int | None:
        """How much of a file may be drained by now; None for all of it."""
        with self._changing:
            current = self._current
            return current.synced if current is not None and current.path == path else None

    def release(self, path: Path) -> bool:
        """Remove a file that is drained; False when it has got more meanwhile."""
        with self._changing:
            current = self._current
            if current is not None and current.path == path:
                if done_bytes(path) < current.size:
                    return False
                current.close()
                self._current = None
            remove_segment(path)
            return True

    def close(self) -> None:
        """Close the files; what is not drained stays, for whoever comes next."""
        with self._changing:
            if self._current is not None:
                self._current.close()
                self._current = None
            if self._lock_file is not None:
                if not any(self.own_files()):
                    self._lock_path.unlink(missing_ok=True)
                self._lock_file.close()
                self._lock_file = None

    def _writable(self) -> Segment:
        current = self._current
        if current is None or current.is_broken or current.size >= SEGMENT_BYTES:
            self._hold_lock()
            self._current = Segment(self.folder, self._owner)
            if current is not None:
                current.close()
        assert self._current is not None
        return self._current

    def _hold_lock(self) -> None:
        if self._lock_file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            unseen = self.folder / f".{self._owner}"  # held before anybody can see it and take it for a dead one's
            self._lock_file = unseen.open("w")
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
            unseen.rename(self._lock_path)

    def _refuse_beyond_bound(self, more_bytes: int) -> None:
        held = spooled_bytes(self.folder)
        if held + more_bytes > self._max_bytes:
            raise SpoolFull(
                f"{held:,} bytes wait in {self.folder}, {self._max_bytes:,} are allowed (HEADRACE_SPOOL_MAX_BYTES)"
            )


def spooled_bytes(folder: Path) -> int:
    """Bytes of all files of the spool, drained or not."""
    held = 0
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            held += path.stat().st_size
        except FileNotFoundError:
            continue
    return held


def has_spooled(folder: Path) -> bool:
    """Whether there are records that the stream has not got yet."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            if any(not frame.hot_only for frame in read_frames(path, done_bytes(path))):
                return True
        except FileNotFoundError:
            continue
    return False

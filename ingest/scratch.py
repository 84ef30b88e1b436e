"""One writer a lake, a scratch folder on its disk, and folders that change in one step."""

import ctypes
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from contracts.errors import BadInput

LOCK_FILE = ".writer.lock"
# Who writes for a moment every few seconds, and how long a moment may be.
ARCHIVER = "the archiver"
ARCHIVER_SECONDS, POLL_SECONDS = 60.0, 0.02
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def open_scratch(lake: Path, holder: str = "another import") -> Iterator[Path]:
    """Hold the lake's writer lock, in the name of `holder`, and hand out an empty scratch folder beside its tables.

    What a killed writer left there is removed. An archiver's moment is waited for; BadInput when somebody else has
    the lock.
    """
    lake.mkdir(parents=True, exist_ok=True)
    with (lake / LOCK_FILE).open("a+") as lock:
        _take(lock, lake)
        lock.truncate(0)
        lock.write(holder)
        lock.flush()
        for left_over in lake.glob(".scratch-*"):
            shutil.rmtree(left_over)
        scratch = lake / f".scratch-{os.getpid()}"
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            lock.truncate(0)


def _take(lock: TextIO, lake: Path) -> None:
    until = time.monotonic() + ARCHIVER_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read()
            if holder not in ("", ARCHIVER) or time.monotonic() > until:
                raise BadInput(f"{lake} is being written by {holder}; start again when that one has ended") from None
        time.sleep(POLL_SECONDS)


def replace_folder(target: Path, files: dict[str, pa.Buffer], scratch: Path) -> None:
    """Make `target` hold exactly `files`; whoever reads meets the old folder or the new one."""
    fresh = scratch / "fresh"
    fresh.mkdir()
    for name, data in files.items():
        with (fresh / name).open("wb") as stream:
            stream.write(data)
    swap_folder(fresh, target, scratch)


def swap_folder(fresh: Path, target: Path, scratch: Path) -> None:
    """Move the folder `fresh` to `target`; one that was there goes away whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        fresh.rename(target)
        return
    if not _exchange(fresh, target):
        # No exchange on this file system (NFS): a reader may meet a gap of microseconds.
        old = scratch / "old"
        target.rename(old)
        fresh.rename(target)
        fresh = old
    shutil.rmtree(fresh)


def _exchange(one: Path, other: Path) -> bool:
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)

"""Files of the spool: frames one after the other, each with length and checksum, so that a torn end is seen and cut.

`<nanoseconds>.<owner>.spool` begins with how many of its bytes are drained, which is overwritten in place: to note it
takes no room on a disk that is full.
"""

import logging
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.records import Record
from ingest.record_frames import decode_record, encode_record

SUFFIX, DAMAGED_SUFFIX = ".spool", ".damaged"
logger = logging.getLogger(__name__)
_DONE = struct.Struct("<Q")
# Bytes of the body and their CRC-32; the body is a byte of flags, then the record.
_HEAD = struct.Struct("<II")
_WHOLE, _HOT_ONLY = b"\x00", b"\x01"
_MODE = 0o600  # what people do is nobody else's to read


@dataclass(frozen=True, slots=True)
class Frame:
    """A record as it was put, and where its frame ends. `hot_only`: the stream has it already."""

    record: Record
    hot_only: bool
    end: int


def pack_frames(records: Sequence[Record], *, hot_only: bool) -> bytes:
    """Frames of some records."""
    flag = _HOT_ONLY if hot_only else _WHOLE
    bodies = [flag + encode_record(record) for record in records]
    return b"".join([_HEAD.pack(len(body), zlib.crc32(body)) + body for body in bodies])


def read_frames(path: Path, start: int, end: int | None = None) -> Iterator[Frame]:
    """Whole frames of a file from one position to another (else its end), up to the first one that is torn."""
    with path.open("rb") as file:
        file.seek(start)
        while end is None or start < end:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return
            body_bytes, checksum = _HEAD.unpack(head)
            body = file.read(body_bytes)
            if len(body) < body_bytes or zlib.crc32(body) != checksum:
                return
            start += _HEAD.size + body_bytes
            yield Frame(decode_record(body[1:]), body[:1] == _HOT_ONLY, start)


class Segment:
    """A file that one process writes to; errors of the disk come as OSError, and then nothing more goes into it."""

    def __init__(self, folder: Path, owner: str) -> None:
        self.path = folder / f"{time.time_ns():020d}.{owner}{SUFFIX}"
        self._file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, _MODE)
        self.size = 0
        self.synced = 0
        self.is_broken = False
        self._syncing = threading.Lock()
        try:
            self.append(_DONE.pack(_DONE.size))
            sync_folder(folder)
        except OSError:
            self.close()
            self.path.unlink()
            raise

    def append(self, data: bytes) -> int:
        """Write at the end, by one thread at a time; where the data ends. It is durable after `sync`."""
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            self.is_broken = True
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)
        return self.size

    def sync(self, end: int) -> None:
        """Return once everything before `end` is on the disk; threads that wait together share one fsync."""
        with self._syncing:
            if self.synced >= end:
                return
            if self.is_broken:
                raise OSError("an earlier fsync of this file failed")
            size = self.size
            try:
                os.fdatasync(self._file)
            except OSError:
                self.is_broken = True
                raise
            self.synced = size

    def close(self) -> None:
        """Close the file; it stays."""
        os.close(self._file)


def done_bytes(path: Path) -> int:
    """How much of a file is drained, what says so included."""
    with path.open("rb") as file:
        head = file.read(_DONE.size)
    return int(_DONE.unpack(head)[0]) if len(head) == _DONE.size else _DONE.size


def note_done(path: Path, done: int) -> None:
    """Note how much of a file is drained; a note that is lost only means that some is drained again."""
    with path.open("r+b") as file:
        file.write(_DONE.pack(done))


def remove_segment(path: Path) -> None:
    """Remove a file that is drained; one with bytes that are no frames is set aside instead."""
    left = path.stat().st_size - done_bytes(path)
    if left > 0:
        logger.error("spool_cut file=%s bytes=%d: a torn frame, which nobody was promised", path.name, left)
        path.rename(path.with_suffix(DAMAGED_SUFFIX))
    path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

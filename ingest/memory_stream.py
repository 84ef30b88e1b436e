"""The stream in one process's memory: the fake beside the Protocols, held to the same suite as the real backends."""

import threading
import time
from collections.abc import Sequence

from contracts.records import Record
from ingest.record_frames import encode_record
from ingest.stream import Entry, StreamFull


class MemoryStream:
    """A producer, and what its consumers read; gone with the process."""

    def __init__(self, max_bytes: int = 1024**3) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: list[Entry] = []
        self._seen: set[tuple[int, int]] = set()
        self._appended_count = 0
        self._changed = threading.Condition()

    def append(self, records: Sequence[Record], deadline: float) -> list[bool]:
        """Append what is new; StreamFull, and then nothing is appended."""
        with self._changed:
            added = sum(len(encode_record(record)) for record in records)
            if self._bytes + added > self._max_bytes:
                raise StreamFull(f"{self._bytes} bytes wait to be archived; {added} more do not fit")
            news = [self._append_one(record) for record in records]
            self._changed.notify_all()
        return news

    def close(self) -> None:
        """Nothing to close; what was appended stays."""

    def close_mine(self) -> None:
        """Nothing belongs to a thread."""

    def entries_after(self, count_read: int, count: int, wait_seconds: float) -> list[Entry]:
        """Up to `count` entries that come after the first `count_read` ever appended."""
        with self._changed:
            self._changed.wait_for(lambda: self._appended_count > count_read, timeout=wait_seconds)
            forgotten = self._appended_count - len(self._entries)
            start = max(0, count_read - forgotten)
            return self._entries[start : start + count]

    def forget_through(self, offset: str) -> None:
        """Drop entries up to one."""
        with self._changed:
            kept = [entry for entry in self._entries if int(entry.offset) > int(offset)]
            self._entries = kept
            self._bytes = sum(len(encode_record(entry.record)) for entry in kept)

    def oldest_at(self) -> float | None:
        """When the oldest entry still held was appended."""
        with self._changed:
            return self._entries[0].appended_at if self._entries else None

    def _append_one(self, record: Record) -> bool:
        name = (record.bucket_hour, record.digest)
        if record.digest and name in self._seen:
            return False
        self._seen.add(name)
        self._appended_count += 1
        self._bytes += len(encode_record(record))
        self._entries.append(Entry(str(self._appended_count), record, time.time()))
        return True


class MemoryConsumer:
    """A reader of a MemoryStream; a new one starts after what was last forgotten."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream
        self._count_read = 0

    def read(self, count: int, wait_seconds: float) -> list[Entry]:
        """Up to `count` entries after the last one read."""
        entries = self._stream.entries_after(self._count_read, count, wait_seconds)
        if entries:
            self._count_read = int(entries[-1].offset)
        return entries

    def forget(self, through: Sequence[Entry]) -> None:
        """Drop entries that are archived."""
        if through:
            self._stream.forget_through(through[-1].offset)

    def lag_seconds(self) -> float:
        """Age of the oldest entry held."""
        oldest_at = self._stream.oldest_at()
        return 0.0 if oldest_at is None else max(time.time() - oldest_at, 1e-9)

    def close(self) -> None:
        """Nothing to close."""

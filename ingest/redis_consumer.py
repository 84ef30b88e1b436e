"""Records out of a Redis stream by the consumer group `archiver`: what was read and not forgotten comes again first."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

from contracts.errors import StoreUnavailable
from ingest.record_frames import decode_record
from ingest.redis_link import LinkPool, Refusal
from ingest.redis_stream import GROUP, STREAM_KEY
from ingest.stream import Entry

CONSUMER = "one"  # there is one at a time, so what a dead one had pending is its successor's
ANSWER_SECONDS = 10.0
READ_COUNT = 5_000  # entries of one command, so that no reply holds the server or memory for long
ACKNOWLEDGE_COUNT = 5_000
_NEW, _FIRST = b">", b"0"


class RedisConsumer:
    """Reads the stream of one Redis server; one at a time."""

    def __init__(self, url: str) -> None:
        self._pool = LinkPool(url)
        self._after = _FIRST  # through what is pending, then `>`
        self._has_group = False

    def read(self, count: int, wait_seconds: float) -> list[Entry]:
        """Up to `count` entries, waiting for the first; StoreUnavailable."""
        until = time.monotonic() + wait_seconds
        entries: list[Entry] = []
        while len(entries) < count:
            wait = 0.0 if entries else max(0.0, until - time.monotonic())
            found = self._read_some(min(READ_COUNT, count - len(entries)), wait)
            entries += found
            if not found and self._after == _NEW and (entries or time.monotonic() >= until):
                break
        return entries

    def forget(self, through: Sequence[Entry]) -> None:
        """Acknowledge entries, then trim the stream through the last of them; StoreUnavailable."""
        ids = [entry.offset.encode() for entry in through]
        for batch in _batches(ids, ACKNOWLEDGE_COUNT):
            self._ask("XACK", STREAM_KEY, GROUP, *batch)
        if ids:
            self._ask("XTRIM", STREAM_KEY, "MINID", "=", _next(ids[-1]))

    def lag_seconds(self) -> float:
        """Age of the oldest entry in the stream, by this machine's clock."""
        oldest = self._ask("XRANGE", STREAM_KEY, "-", "+", "COUNT", 1)
        return max(time.time() - _appended_at(oldest[0][0]), 1e-9) if oldest else 0.0

    def close(self) -> None:
        """Close every idle connection."""
        self._pool.close()

    def _read_some(self, count: int, wait_seconds: float) -> list[Entry]:
        wait = ("BLOCK", max(1, int(wait_seconds * 1000))) if wait_seconds > 0 and self._after == _NEW else ()
        command = ("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", count, *wait, "STREAMS", STREAM_KEY, self._after)
        reply = self._ask(*command, wait_seconds=wait_seconds)
        rows = reply[0][1] if reply else []
        if self._after != _NEW:
            self._after = rows[-1][0] if rows else _NEW
        # Of a pending entry that was trimmed, the id alone is left.
        return [Entry(row[0].decode(), decode_record(row[1][1]), _appended_at(row[0])) for row in rows if row[1]]

    def _ask(self, *command: Any, wait_seconds: float = 0.0) -> Any:
        deadline = time.monotonic() + ANSWER_SECONDS + wait_seconds
        try:
            if not self._has_group:
                self._make_group(deadline)
            return self._pool.ask(command, deadline)
        except Refusal as refusal:
            self._has_group = False  # a server that lost its data lost the group as well
            raise StoreUnavailable(f"the stream's server refused {command[0]}: {refusal}") from refusal

    def _make_group(self, deadline: float) -> None:
        try:
            self._pool.ask(("XGROUP", "CREATE", STREAM_KEY, GROUP, "0", "MKSTREAM"), deadline)
        except Refusal as refusal:
            if refusal.word != "BUSYGROUP":
                raise
        self._has_group = True


def _appended_at(entry_id: bytes) -> float:
    return int(entry_id.partition(b"-")[0]) / 1000


def _next(entry_id: bytes) -> bytes:
    milliseconds, _, sequence = entry_id.partition(b"-")
    return b"%b-%d" % (milliseconds, int(sequence) + 1)


def _batches(ids: list[bytes], size: int) -> Iterator[list[bytes]]:
    starts = itertools.count(0, size)
    return itertools.takewhile(bool, (ids[start : start + size] for start in starts))

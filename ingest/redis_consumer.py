"""Records out of a Redis stream by the group `archiver`, whose position is the last entry that was forgotten.

Reading moves nothing on the server, so a reply that was lost on its way is simply asked for again. There is one reader
at a time, and it forgets in order: to acknowledge entry by entry would cost memory and round trips, and tell no more.
"""

import time
from collections.abc import Sequence
from typing import Any

import hiredis

from contracts.errors import StoreUnavailable
from ingest.record_frames import decode_or_wrap
from ingest.redis_client import RedisClient
from ingest.redis_commands import Command
from ingest.redis_endpoint import parse_endpoint
from ingest.redis_stream import GROUP, STREAM_KEY
from ingest.stream import Entry

ANSWER_SECONDS = 10.0
READ_COUNT = 1_000  # entries of one command, so that no reply holds the server or memory for long
_KEY, _GROUP = STREAM_KEY.encode(), GROUP.encode()
_LAST_DELIVERED = b"last-delivered-id"
_START = b"0-0"
NO_KEY = "no such key"


class RedisConsumer:
    """Reads the stream of one Redis server; one at a time."""

    def __init__(self, url: str) -> None:
        self._client = RedisClient(parse_endpoint(url))
        self._after: bytes | None = None

    def read(self, count: int, wait_seconds: float) -> list[Entry]:
        """Up to `count` entries, waiting for the first; StoreUnavailable."""
        entries = self._read_some(min(READ_COUNT, count), wait_seconds)
        while entries and len(entries) < count:
            more = self._read_some(min(READ_COUNT, count - len(entries)), 0)
            if not more:
                break
            entries += more
        return entries

    def forget(self, through: Sequence[Entry]) -> None:
        """Trim the stream through the last of these entries and move the group there; StoreUnavailable."""
        if not through:
            return
        last = through[-1].offset.encode()
        self._ask(b"XTRIM", _KEY, b"MINID", b"=", _next(last))  # first: a server without memory refuses the others
        moved = self._send(b"XGROUP", b"SETID", _KEY, _GROUP, last)
        if isinstance(moved, hiredis.ReplyError):  # a new server, or one that was emptied
            self._ask(b"XGROUP", b"CREATE", _KEY, _GROUP, last, b"MKSTREAM")

    def lag_seconds(self) -> float:
        """Age of the oldest entry in the stream, by this machine's clock."""
        oldest = self._ask(b"XRANGE", _KEY, b"-", b"+", b"COUNT", b"1")
        return max(time.time() - _appended_at(oldest[0][0]), 1e-9) if oldest else 0.0

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _read_some(self, count: int, wait_seconds: float) -> list[Entry]:
        if self._after is None:
            self._after = self._position()
        wait = (b"BLOCK", b"%d" % max(1, int(wait_seconds * 1000))) if wait_seconds > 0 else ()
        command = (b"XREAD", b"COUNT", b"%d" % count, *wait, b"STREAMS", _KEY, self._after)
        reply = self._ask(*command, wait_seconds=wait_seconds)
        rows = reply[0][1] if reply else []
        if rows:
            self._after = rows[-1][0]
        return [Entry(row[0].decode(), decode_or_wrap(row[1][1]), _appended_at(row[0])) for row in rows]

    def _position(self) -> bytes:
        """Where the group stands; without a group, as on a new server, at the start."""
        found = self._send(b"XINFO", b"GROUPS", _KEY)
        if isinstance(found, hiredis.ReplyError) and NO_KEY in str(found):
            return _START
        groups = [dict(zip(group[::2], group[1::2], strict=True)) for group in self._refuse(found, "XINFO")]
        return next((bytes(group[_LAST_DELIVERED]) for group in groups if group[b"name"] == _GROUP), _START)

    def _ask(self, *parts: bytes, wait_seconds: float = 0.0) -> Any:
        return self._refuse(self._send(*parts, wait_seconds=wait_seconds), parts[0].decode())

    def _refuse(self, reply: Any, command: str) -> Any:
        if isinstance(reply, hiredis.ReplyError):
            raise StoreUnavailable(f"the stream's server refused {command}: {reply}")
        return reply

    def _send(self, *parts: bytes, wait_seconds: float = 0.0) -> Any:
        deadline = time.monotonic() + ANSWER_SECONDS + wait_seconds
        return self._client.send_each([Command((STREAM_KEY,), parts)], deadline)[0]


def _appended_at(entry_id: bytes) -> float:
    return int(entry_id.partition(b"-")[0]) / 1000


def _next(entry_id: bytes) -> bytes:
    milliseconds, _, sequence = entry_id.partition(b"-")
    return b"%b-%d" % (milliseconds, int(sequence) + 1)

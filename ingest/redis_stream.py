"""Records into a Redis stream: one script a batch drops what was seen, sees whether there is room, and appends.

Everything lies in one slot under one hash tag, so a node of a cluster serves too. The keys are docs/streams.md's.
"""

from collections.abc import Sequence

import hiredis

from contracts.errors import StoreUnavailable
from contracts.records import Record
from ingest.record_frames import encode_record
from ingest.redis_client import RedisClient
from ingest.redis_commands import Command, Script
from ingest.redis_endpoint import parse_endpoint
from ingest.stream import StreamFull

STREAM_KEY = "headrace:{stream}"
GROUP = "archiver"
FIELD = "r"
OUT_OF_MEMORY = "OOM"
SEEN_SECONDS, SEEN_SLACK_SECONDS = 72 * 3600, 3600
# Digests of an hour are spread over so many sets that a set stays an array of integers (8 bytes each).
SEEN_BUCKETS = 4_096

# KEYS: the stream, then the set of each record (the stream again: counts every time). ARGV: limit in bytes, seconds to
# remember, slack, then digest and frame of each. A set lives from SEEN to SEEN + slack after its last new member, so
# that its life is renewed once an hour, not once an event. `allow_oom` is not set: a full server refuses beforehand.
APPEND = Script.of("""
local stream, limit = KEYS[1], tonumber(ARGV[1])
local held = redis.call('MEMORY', 'USAGE', stream, 'SAMPLES', 3) or 0
local news, seconds, slack = {}, tonumber(ARGV[2]), tonumber(ARGV[3])
if held >= limit then return held end
for n = 2, #KEYS do
  local set, digest, frame = KEYS[n], ARGV[2 * n], ARGV[2 * n + 1]
  local new = 1
  if set ~= stream then
    new = redis.call('SADD', set, digest)
    if new == 1 and redis.call('TTL', set) < seconds then redis.call('EXPIRE', set, seconds + slack) end
  end
  if new == 1 then redis.call('XADD', stream, '*', 'r', frame) end
  news[n - 1] = new
end
return news
""")


class RedisProducer:
    """Appends to the stream of one Redis server; safe to share between threads, a connection a thread.

    A batch whose connection broke is sent once more within its deadline: what had arrived is then called a duplicate.
    """

    def __init__(self, url: str, *, max_bytes: int) -> None:
        self._client = RedisClient(parse_endpoint(url))
        self._max_bytes = max_bytes

    def append(self, records: Sequence[Record], deadline: float) -> list[bool]:
        """Append in order; for each whether it is new. StoreUnavailable, StreamFull."""
        if not records:
            return []
        reply = self._client.send_each([self._command(records)], deadline)[0]
        if isinstance(reply, hiredis.ReplyError):
            if OUT_OF_MEMORY in str(reply):
                raise StreamFull(f"the stream's server has no memory left: {reply}; is the archiver running?")
            raise StoreUnavailable(f"the stream's server refused to append: {reply}")
        if isinstance(reply, int):
            raise StreamFull(
                f"{reply:,} bytes of events wait to be archived, {self._max_bytes:,} are allowed "
                "(HEADRACE_STREAM_MAX_BYTES); is the archiver running?"
            )
        return [new == 1 for new in reply]

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def close_mine(self) -> None:
        """Close the calling thread's connection, because that thread is about to end."""
        self._client.close_mine()

    def _command(self, records: Sequence[Record]) -> Command:
        keys = [STREAM_KEY]
        parts = [b"%d" % self._max_bytes, b"%d" % SEEN_SECONDS, b"%d" % SEEN_SLACK_SECONDS]
        for record in records:
            keys.append(seen_key(record) if record.digest else STREAM_KEY)
            parts += (b"%d" % record.digest, encode_record(record))
        return Command(tuple(keys), tuple(parts), APPEND)


def seen_key(record: Record) -> str:
    """The set that remembers a record's digest."""
    return f"{STREAM_KEY}:seen:{record.bucket_hour}:{record.digest % SEEN_BUCKETS}"

"""What trends now: scores of the last hour, newer ones counting more, of items that enough people touched."""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.answers import SOURCE_TRENDING, AnswerHead
from contracts.redis_layout import (
    TRENDING_BUCKET_SECONDS,
    TRENDING_HOUR_SECONDS,
    trending_people_key,
    trending_scores_key,
)
from ingest.redis_commands import Command, on_key
from ingest.redis_guard import Store
from ingest.trending import FLOOR_PEOPLE
from serving.list_store import Pin
from serving.stored_answer import StoredAnswer

BUCKETS = 12
HALF_LIFE_SECONDS = 900.0
LOOKED_AT, KEPT = 200, 50
FRESH_SECONDS = 2.0
SUBJECT = "trending/now"
REASON = "what most people turned to within the last hour, newer moves counting more"


class TrendingShelf:
    """The list of this moment, made at most every FRESH_SECONDS a process; it is the same for everybody."""

    def __init__(self, redis: Store) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._made_at = float("-inf")
        self._version = ""
        self._answer: StoredAnswer | None = None

    def now(self, pin: Pin, deadline: float) -> StoredAnswer | None:
        """The list, None when nothing trends; StoreUnavailable."""
        with self._lock:
            if time.monotonic() - self._made_at < FRESH_SECONDS and pin.version == self._version:
                return self._answer
        answer = self._make(pin, deadline)
        with self._lock:
            self._made_at, self._version, self._answer = time.monotonic(), pin.version, answer
        return answer

    def _make(self, pin: Pin, deadline: float) -> StoredAnswer | None:
        now = time.time()
        newest = int(now) // TRENDING_BUCKET_SECONDS
        buckets = range(newest, newest - BUCKETS, -1)
        last = str(LOOKED_AT - 1).encode()
        reads = [on_key(b"ZREVRANGE", trending_scores_key(bucket), b"0", last, b"WITHSCORES") for bucket in buckets]
        scores = decayed(list(zip(buckets, self._redis.send(reads, deadline), strict=True)), now)
        best = sorted(scores, key=lambda item: (-scores[item], item))[:LOOKED_AT]
        if not best:
            return None
        people = self._people(best, int(now) // TRENDING_HOUR_SECONDS, deadline)
        items = [item for item, count in zip(best, people, strict=True) if count >= FLOOR_PEOPLE][:KEPT]
        if not items:
            return None
        at = int(now)
        stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        head = AnswerHead(SUBJECT, SOURCE_TRENDING, REASON, pin.version, stamp)
        names = tuple(item.decode() for item in items)
        return StoredAnswer(b"", head, names, tuple(scores[item] for item in items), float(at))

    def _people(self, items: Sequence[bytes], hour: int, deadline: float) -> list[int]:
        """How many people touched each item within this clock hour or the one before, whichever were more."""
        reads: list[Command] = [on_key(b"HMGET", trending_people_key(hour - ago), *items) for ago in (0, 1)]
        replies = self._redis.send(reads, deadline)
        return [max(int(one or 0), int(other or 0)) for one, other in zip(*replies, strict=True)]


def decayed(found: Sequence[tuple[int, Sequence[Any]]], now: float) -> dict[bytes, float]:
    """Sum of each item's scores, halved for every HALF_LIFE_SECONDS of a bucket's age."""
    sums: dict[bytes, float] = defaultdict(float)
    for bucket, flat in found:
        age = max(0.0, now - (bucket + 1) * TRENDING_BUCKET_SECONDS)
        share = math.pow(0.5, age / HALF_LIFE_SECONDS)
        for item, score in zip(flat[::2], flat[1::2], strict=True):
            sums[item] += float(score) * share
    return dict(sums)

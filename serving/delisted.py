"""Items that no answer may show, known to each process and read anew as soon as their mark has changed."""

import logging
import re
import threading
import time
from dataclasses import dataclass, field

from contracts.errors import HeadraceError
from contracts.redis_layout import DELISTED
from ingest.redis_commands import on_key
from ingest.redis_guard import Store

logger = logging.getLogger(__name__)

RELOAD_SECONDS = 0.1  # what reading the whole set may take; longer than a look-up's deadline, and rare
MAX_VERDICTS = 100_000
_item_ids = re.compile(rb'"item_id":"([^"]*)"').findall


@dataclass(frozen=True, slots=True, eq=False)
class Delisting:
    """The items, as ids and as the bytes that stand for them in a stored list; lives until one of them changes."""

    items: frozenset[str] = frozenset()
    ids: frozenset[bytes] = frozenset()
    _verdicts: dict[int, bool] = field(default_factory=dict)  # by hash of the bytes: looking costs 35 µs, this one

    def may_touch(self, stored: bytes) -> bool:
        """Whether a stored list shows one of the items, or an id that takes a closer look."""
        if not self.ids:
            return False
        name = hash(stored)
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = b"\\" in stored or not self.ids.isdisjoint(_item_ids(stored))
            if len(self._verdicts) >= MAX_VERDICTS:
                self._verdicts.clear()
            self._verdicts[name] = verdict
        return verdict


NOTHING = Delisting()


class DelistedItems:
    """The set as this process knows it."""

    def __init__(self, redis: Store) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self.mark: bytes | None = None
        self.current = NOTHING

    def as_of(self, mark: bytes | None) -> Delisting:
        """The set under that mark; the one known before when it cannot be read now."""
        if mark == self.mark:
            return self.current
        with self._lock:
            if mark != self.mark:
                try:
                    self._load(mark)
                except HeadraceError as error:
                    logger.warning("delisted_unread known=%d: %s", len(self.current.items), error)
            return self.current

    def _load(self, mark: bytes | None) -> None:
        ids: list[bytes] = []
        if mark is not None:
            [ids] = self._redis.send([on_key(b"SMEMBERS", DELISTED)], time.monotonic() + RELOAD_SECONDS)
        self.current = Delisting(frozenset(item.decode() for item in ids), frozenset(ids))
        self.mark = mark
        logger.info("delisted_read items=%d", len(ids))

"""A thread that reads every second which version serves and which items are delisted, and tells what changed."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from contracts.errors import HeadraceError
from contracts.redis_layout import DELISTED, DELISTED_MARK, POINTER, Pointer
from ingest.redis_commands import on_key
from ingest.redis_guard import Store
from serving.inference.target import Target

logger = logging.getLogger(__name__)

POLL_SECONDS, TIMEOUT_SECONDS = 1.0, 0.5


class Hears(Protocol):
    """Who is told; called from the thread."""

    def target(self, target: Target) -> None:
        """These models are to answer; told with every change."""
        ...

    def delisted(self, item_ids: list[str]) -> None:
        """These items must not be shown; told with every change."""
        ...

    def unreadable(self) -> None:
        """Redis does not answer; told each time."""
        ...


class TargetWatch:
    """Polls until it is closed; a store that does not answer changes nothing."""

    def __init__(self, open_redis: Callable[[], Store], hears: Hears, poll_seconds: float = POLL_SECONDS) -> None:
        self._open_redis, self._hears, self._poll_seconds = open_redis, hears, poll_seconds
        self._redis: Store | None = None
        self._ending = threading.Event()
        self._raw_pointer: bytes | None = None
        self._mark: bytes | None = None
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="target-watch", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and its connections."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._poll()
                self._is_failing = False
            except HeadraceError as error:
                if not self._is_failing:
                    logger.warning("target_unread, what is loaded goes on: %s", error)
                self._is_failing = True
                self._hears.unreadable()
            if self._ending.wait(self._poll_seconds):
                break
        if self._redis is not None:
            self._redis.close()

    def _poll(self) -> None:
        if self._redis is None:
            self._redis = self._open_redis()
        raw_pointer, mark = self._redis.mget([POINTER, DELISTED_MARK], time.monotonic() + TIMEOUT_SECONDS)
        if mark != self._mark:
            [found] = self._redis.send([on_key(b"SMEMBERS", DELISTED)], time.monotonic() + TIMEOUT_SECONDS)
            self._hears.delisted(sorted(item.decode() for item in found))
            self._mark = mark
        if raw_pointer is not None and raw_pointer != self._raw_pointer:
            pointer = Pointer.decode(raw_pointer)
            self._hears.target(Target(pointer.version, pointer.interval))
            self._raw_pointer = raw_pointer

"""A Redis server behind a breaker: a call is answered by its deadline, or fails at once and is counted."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from contracts.errors import CorruptData
from ingest.breaker import CLOSED, Breaker
from ingest.redis_client import Reads, Sends
from ingest.redis_commands import Command
from ingest.redis_connection import OPEN, REFUSED, RedisFailure

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Store(Reads, Sends, Protocol):
    """A store of keys, read and written."""


class GuardedRedis:
    """Reads and writes through a breaker; `on_failure` hears the kind of each failure."""

    def __init__(self, inner: Store, breaker: Breaker, on_failure: Callable[[str], None]) -> None:
        self._inner = inner
        self._breaker = breaker
        self._on_failure = on_failure

    @property
    def is_closed(self) -> bool:
        """Whether calls pass."""
        return self._breaker.state == CLOSED

    def mget(self, keys: Sequence[str], deadline: float) -> list[bytes | None]:
        """Values of keys, None for an absent one; RedisFailure of any kind."""
        return self._through(lambda: self._inner.mget(keys, deadline))

    def send(self, commands: Sequence[Command], deadline: float) -> list[Any]:
        """Reply to each command; RedisFailure of any kind."""
        return self._through(lambda: self._inner.send(commands, deadline))

    def close(self) -> None:
        """Close every connection."""
        self._inner.close()

    def close_mine(self) -> None:
        """Close the calling thread's connections."""
        self._inner.close_mine()

    def _through(self, call: Callable[[], T]) -> T:
        if not self._breaker.allows():
            self._on_failure(OPEN)
            raise RedisFailure(OPEN, "Redis failed a moment ago and is not asked until a probe succeeds")
        try:
            answer = call()
        except RedisFailure as failure:
            self._note(failure)
            raise
        except CorruptData as error:
            refused = RedisFailure(REFUSED, str(error))
            self._note(refused)
            raise refused from error
        except BaseException:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer

    def _note(self, failure: RedisFailure) -> None:
        was_closed = self.is_closed
        self._breaker.failed()
        self._on_failure(failure.kind)
        if was_closed:
            logger.warning("redis_failed kind=%s breaker_closed=%s: %s", failure.kind, self.is_closed, failure)

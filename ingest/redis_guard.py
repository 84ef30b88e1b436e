"""A Redis server behind a breaker: a call is answered by its deadline, or fails at once and is counted."""

import logging
from collections.abc import Callable, Sequence

from contracts.errors import CorruptData
from ingest.breaker import CLOSED, Breaker
from ingest.redis_client import Reads
from ingest.redis_connection import OPEN, REFUSED, RedisFailure

logger = logging.getLogger(__name__)


class GuardedRedis:
    """Reads through a breaker; `on_failure` hears the kind of each failure."""

    def __init__(self, inner: Reads, breaker: Breaker, on_failure: Callable[[str], None]) -> None:
        self._inner = inner
        self._breaker = breaker
        self._on_failure = on_failure

    @property
    def is_closed(self) -> bool:
        """Whether calls pass."""
        return self._breaker.state == CLOSED

    def mget(self, keys: Sequence[str], deadline: float) -> list[bytes | None]:
        """Values of keys, None for an absent one; RedisFailure of any kind."""
        if not self._breaker.allows():
            self._on_failure(OPEN)
            raise RedisFailure(OPEN, "Redis failed a moment ago and is not asked until a probe succeeds")
        try:
            values = self._inner.mget(keys, deadline)
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
        return values

    def close(self) -> None:
        """Close every connection."""
        self._inner.close()

    def close_mine(self) -> None:
        """Close the calling thread's connections."""
        self._inner.close_mine()

    def _note(self, failure: RedisFailure) -> None:
        was_closed = self.is_closed
        self._breaker.failed()
        self._on_failure(failure.kind)
        if was_closed:
            logger.warning("redis_failed kind=%s breaker_closed=%s: %s", failure.kind, self.is_closed, failure)

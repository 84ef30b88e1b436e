"""How many events a key may send: a token bucket a key and process, which may go into debt for one batch."""

import math
import threading
import time
from collections.abc import Callable

MAX_BUCKETS = 10_000


class RateLimit:
    """Buckets of `per_second` tokens, full at first. A batch is taken whole while there is any token left."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str, count: int) -> int:
        """Take so many tokens; 0, or the whole seconds to wait before anything is taken."""
        now = self._clock()
        with self._lock:
            tokens, at = self._left.get(name, (self._per_second, now))
            tokens = min(self._per_second, tokens + (now - at) * self._per_second)
            if tokens <= 0:
                return max(1, math.ceil((1 - tokens) / self._per_second))
            if len(self._left) >= MAX_BUCKETS:
                self._left.clear()
            self._left[name] = (tokens - count, now)
        return 0

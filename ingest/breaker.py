"""A circuit breaker: after a few failures ask nobody for a while, then let a few probes through.

Its lock is held for the few lines that count, never while the guarded call runs, and a quick call that
succeeds while the breaker is closed takes no lock at all.
"""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable

CLOSED, HALF_OPEN, OPEN = "closed", "half_open", "open"

CONSECUTIVE_FAILURES = 3
WINDOW_CALLS = 40
WINDOW_FAILURE_SHARE = 0.5
WINDOW_SLOW_SHARE = 0.8  # failures count as slow ones too
JITTER_SHARE = 0.2
PROBE_SECONDS = 1.0
_GOOD, _SLOW, _FAILED = range(3)


class Breaker:
    """Opens on CONSECUTIVE_FAILURES, or on WINDOW_FAILURE_SHARE or WINDOW_SLOW_SHARE of the last WINDOW_CALLS.

    A call is slow that took longer than `slow_seconds`. Open for `open_seconds` plus or minus JITTER_SHARE, so that
    processes do not probe together; then at most `probes` calls at a time, of which so many quick ones close it and
    a slow or failed one opens it again. Probes that never report are given up.
    """

    def __init__(
        self,
        open_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        slow_seconds: float = math.inf,
        probes: int = 1,
    ) -> None:
        self._open_seconds, self._slow_seconds, self._probes = open_seconds, slow_seconds, probes
        self._clock = clock
        self._lock = threading.Lock()
        self._outcomes: deque[int] = deque(maxlen=WINDOW_CALLS)
        self._consecutive = 0
        self._is_open = False
        self._probe_at = 0.0  # when open: from when on probes are let through
        self._probes_out = self._probes_good = 0
        self._given_up_at = 0.0

    @property
    def state(self) -> str:
        """One of CLOSED, HALF_OPEN (a probe is due or under way) and OPEN."""
        if not self._is_open:
            return CLOSED
        return HALF_OPEN if self._clock() >= self._probe_at else OPEN

    def allows(self) -> bool:
        """Whether the caller may call now; whoever may must report success or failure."""
        if not self._is_open:
            return True
        with self._lock:
            now = self._clock()
            if not self._is_open:
                return True
            if now < self._probe_at:
                return False
            if self._probes_out >= self._probes:
                if now < self._given_up_at:
                    return False
                self._probes_out = 0
            self._probes_out += 1
            self._given_up_at = now + PROBE_SECONDS
            return True

    def succeeded(self, seconds: float = 0.0) -> None:
        """Count a call that was answered, in so many seconds."""
        if seconds > self._slow_seconds:
            self._count(_SLOW)
            return
        self._outcomes.append(_GOOD)
        if self._consecutive or self._is_open:
            with self._lock:
                self._consecutive = 0
                self._probes_out = max(0, self._probes_out - 1)
                self._probes_good += 1
                if self._is_open and self._probes_good >= self._probes:
                    self._outcomes.clear()
                    self._is_open = False

    def failed(self) -> None:
        """Count a call that was not answered; may open."""
        self._count(_FAILED)

    def _count(self, outcome: int) -> None:
        with self._lock:
            self._outcomes.append(outcome)
            self._consecutive = self._consecutive + 1 if outcome == _FAILED else 0
            if self._is_open or self._consecutive >= CONSECUTIVE_FAILURES or self._is_window_bad():
                self._is_open = True
                self._probe_at = self._clock() + self._open_seconds * random.uniform(1 - JITTER_SHARE, 1 + JITTER_SHARE)
                self._probes_out = self._probes_good = 0

    def _is_window_bad(self) -> bool:
        outcomes = list(self._outcomes)
        failures, good = outcomes.count(_FAILED), outcomes.count(_GOOD)
        return len(outcomes) == WINDOW_CALLS and (
            failures >= WINDOW_CALLS * WINDOW_FAILURE_SHARE or good <= WINDOW_CALLS * (1 - WINDOW_SLOW_SHARE)
        )

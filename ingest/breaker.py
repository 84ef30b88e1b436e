"""A circuit breaker: after a few failures ask nobody for a while, then let a probe through.

Its lock is held for the few lines that count, never while the guarded call runs, and a call that
succeeds while the breaker is closed takes no lock at all.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable

CLOSED, HALF_OPEN, OPEN = "closed", "half_open", "open"

CONSECUTIVE_FAILURES = 3
WINDOW_CALLS = 40
WINDOW_FAILURE_SHARE = 0.5
JITTER_SHARE = 0.2
PROBE_SECONDS = 1.0


class Breaker:
    """Opens on CONSECUTIVE_FAILURES, or when WINDOW_FAILURE_SHARE of the last WINDOW_CALLS failed.

    Open for `open_seconds` plus or minus JITTER_SHARE, so that processes do not probe together; then one probe
    at a time: its success closes, its failure opens again. A probe that never reports is given up.
    """

    def __init__(self, open_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._open_seconds = open_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._outcomes: deque[bool] = deque(maxlen=WINDOW_CALLS)
        self._consecutive = 0
        self._is_open = False
        self._probe_at = 0.0

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
            if self._is_open and now < self._probe_at:
                return False
            self._probe_at = now + PROBE_SECONDS
            return True

    def succeeded(self) -> None:
        """Count a call that was answered."""
        self._outcomes.append(True)
        if self._consecutive or self._is_open:
            with self._lock:
                self._consecutive = 0
                if self._is_open:
                    self._outcomes.clear()
                    self._is_open = False

    def failed(self) -> None:
        """Count a call that was not answered; may open."""
        with self._lock:
            self._outcomes.append(False)
            self._consecutive += 1
            failures = list(self._outcomes).count(False)
            is_window_bad = len(self._outcomes) == WINDOW_CALLS and failures >= WINDOW_CALLS * WINDOW_FAILURE_SHARE
            if self._is_open or is_window_bad or self._consecutive >= CONSECUTIVE_FAILURES:
                self._is_open = True
                self._probe_at = self._clock() + self._open_seconds * random.uniform(1 - JITTER_SHARE, 1 + JITTER_SHARE)

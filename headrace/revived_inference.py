"""The inference service of the demo, which is started again when it ends."""

import sys
import time
from dataclasses import dataclass, field

from headrace.processes import ProcessSet

MOST_REVIVALS = 5  # a service that keeps ending has a cause that its log tells
LASTING_SECONDS = 60.0  # who ran so long is not one that keeps ending


@dataclass(slots=True)
class RevivedInference:
    """A component `infer`; answers are stood in for while it is away."""

    _revivals: int = field(default=0, init=False)
    _started_at: float = field(default=0.0, init=False)

    def start(self, processes: ProcessSet) -> None:
        """Start it as a component of `processes`."""
        self._started_at = time.monotonic()
        revive = (lambda: self._revive(processes)) if self._revivals < MOST_REVIVALS else None
        processes.start("infer", [sys.executable, "-m", "headrace", "infer"], revive=revive)

    def _revive(self, processes: ProcessSet) -> None:
        lasted = time.monotonic() - self._started_at >= LASTING_SECONDS
        self._revivals = 1 if lasted else self._revivals + 1
        self.start(processes)

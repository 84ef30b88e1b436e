"""Peak memory of a command and everything that it starts."""

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took: wall-clock seconds, and the peak of the summed proportional memory in bytes."""

    seconds: float
    peak_bytes: int


def run_measured(command: Sequence[str], log: Path, env: dict[str, str]) -> Cost:
    """Run a command to its end, output to `log`; RuntimeError with the log's tail when it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=env)
        peak = PeakMemory(process.pid)
        code = process.wait()
    if code:
        raise RuntimeError(f"{' '.join(command[:6])} … exited {code}; the end of {log}:\n{log.read_text()[-3000:]}")
    return Cost(time.monotonic() - began, peak.stop())


class PeakMemory:
    """Sample the proportional set size of a process tree every half second in a thread of its own."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """End sampling; return the peak in bytes."""
        self._done.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            self._peak = max(self._peak, tree_bytes(self._pid))


def tree_bytes(pid: int) -> int:
    """Summed proportional set size of a process and its descendants (shared pages counted once)."""
    total = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total

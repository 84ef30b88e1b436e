"""`python -m headrace demo` as a person starts it, on a tiny world instead of the sample."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from contracts.intervals import Interval
from headrace.processes import members
from tests.stack.local_airflow import as_environment, free_port, last_complete_hour, world_ending_at
from tests.worlds import small_settings

PROJECT = Path(__file__).parents[2]
READY_SECONDS, STOP_SECONDS = 1_800.0, 90.0


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """A demo, its output so far and where it listens."""

    root: Path
    process: subprocess.Popen[bytes]
    output: Path
    environment: dict[str, str]
    hour: Interval

    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text()

    def wait_for(self, pattern: str, seconds: float = READY_SECONDS) -> re.Match[str]:
        """Wait until the output matches; fails with the output when the demo ends or takes longer."""
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern, self.text())) is None:
            assert self.process.poll() is None and time.monotonic() < deadline, self.text()
            time.sleep(0.2)
        return found

    def interrupt(self) -> tuple[int, list[psutil.Process]]:
        """Press Ctrl-C; the exit code and what is left of everything that it had started."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(STOP_SECONDS)
        _, left = psutil.wait_procs(below, timeout=5)
        return code, left + members(self.root, ())


@contextmanager
def running_demo(root: Path, *arguments: str) -> Iterator[RunningDemo]:
    """Start the demo on free ports with the corner shop in its lake; kill it at the end if it still runs."""
    hour = last_complete_hour()
    world_ending_at(hour).write(root)
    redis_url, stream_url = (f"redis://127.0.0.1:{free_port()}/0" for _ in range(2))
    ports = {"airflow_port": free_port(), "inference_metrics": f"127.0.0.1:{free_port()}"}
    settings = small_settings(root, redis_url=redis_url, stream_url=stream_url, **ports)
    environment = os.environ | as_environment(settings) | {"HEADRACE_BIND": f"127.0.0.1:{free_port()}"}
    output = root / "demo.out"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            demo_command(*arguments), stdout=stream, stderr=subprocess.STDOUT, cwd=PROJECT, env=environment
        )
    try:
        yield RunningDemo(root, process, output, dict(environment), hour)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def demo_command(*arguments: str) -> list[str]:
    """The command line behind `make demo`."""
    return [sys.executable, "-m", "headrace", "demo", *arguments]

"""A standalone Spark cluster on loopback, from the same package: a master and two workers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.stack.local_airflow import free_port

START_SECONDS = 90.0
EXECUTOR = "CoarseGrainedExecutorBackend"


@dataclass(frozen=True, slots=True)
class SparkCluster:
    """Where the master listens, and the workers."""

    url: str
    workers: tuple[subprocess.Popen[bytes], ...]

    def executors_of(self, number: int) -> list[psutil.Process]:
        """Executors that a worker runs now."""
        below = psutil.Process(self.workers[number].pid).children(recursive=True)
        return [process for process in below if EXECUTOR in _command_of(process)]

    def kill_worker(self, number: int) -> None:
        """SIGKILL a worker and its executors at once, as a machine that loses power."""
        for process in psutil.Process(self.workers[number].pid).children(recursive=True):
            process.kill()
        self.workers[number].kill()


def _command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # gone meanwhile
        return ""


@contextmanager
def spark_cluster(folder: Path) -> Iterator[SparkCluster]:
    """Start master and workers, and end them."""
    port, started = free_port(), []
    try:
        started.append(_start(folder, "master", "master.Master", "--port", str(port), "--webui-port", "0"))
        url = f"spark://127.0.0.1:{port}"
        await_text(folder / "master.log", "I have been elected leader")
        for number in (0, 1):
            options = (
                "--cores",
                "1",
                "--memory",
                "1g",
                "--webui-port",
                "0",
                "--work-dir",
                str(folder / f"work{number}"),
            )
            started.append(_start(folder, f"worker{number}", "worker.Worker", *options, url))
        for number in (0, 1):
            await_text(folder / f"worker{number}.log", "Successfully registered with master")
        yield SparkCluster(url, (started[1], started[2]))
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def await_text(log: Path, text: str) -> None:
    """Wait until a log says something."""
    deadline = time.monotonic() + START_SECONDS
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def _start(folder: Path, name: str, role: str, *options: str) -> subprocess.Popen[bytes]:
    command = [str(Path(sys.executable).with_name("spark-class")), f"org.apache.spark.deploy.{role}"]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_DAEMON_MEMORY": "256m"}
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--host", "127.0.0.1", *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )

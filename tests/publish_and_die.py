"""Publish an hour in a process of its own and be killed at a named step."""

import multiprocessing
import os
import signal
from pathlib import Path

from spark_jobs.publish import publish
from tests.publish_lake import make_context

DEADLINE_SECONDS = 60


def kill_at(root: Path, url: str, *, hour: str, step: str, count: int = 1) -> int | None:
    """Publish `hour` in a fresh process that dies by SIGKILL when `step` was heard `count` times; its exit code."""
    processes = multiprocessing.get_context("forkserver")  # imports once, then forks from a process without threads
    processes.set_forkserver_preload([__name__])
    victim = processes.Process(target=_publish_and_die, args=(root, url, hour, step, count))
    victim.start()
    victim.join(DEADLINE_SECONDS)
    return victim.exitcode


def _publish_and_die(root: Path, url: str, interval_key: str, step: str, count: int) -> None:
    heard = []

    def die(name: str) -> None:
        heard.append(name)
        if heard.count(step) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    publish(make_context(root, interval_key, redis_url=url), on_step=die)

"""Archive in a process of its own and be killed at a named step."""

import multiprocessing
import os
import signal
from pathlib import Path

from contracts.settings import Layout, Settings
from ingest.archiver import Archiver, only_archiver
from ingest.consumers import open_consumer

DEADLINE_SECONDS = 60


def kill_at(settings: Settings, step: str, count: int = 1) -> int | None:
    """Archive in a fresh process that dies by SIGKILL when `step` was heard `count` times; its exit code."""
    processes = multiprocessing.get_context("forkserver")  # imports once, then forks from a process without threads
    processes.set_forkserver_preload([__name__])
    victim = processes.Process(target=_archive_and_die, args=(settings, step, count))
    victim.start()
    victim.join(DEADLINE_SECONDS)
    return victim.exitcode


def archive(settings: Settings) -> None:
    """Archive what is there, in this process."""
    with only_archiver(lake_of(settings)):
        consumer = open_consumer(settings)
        try:
            Archiver(consumer, settings).run_once()
        finally:
            consumer.close()


def lake_of(settings: Settings) -> Path:
    """The lake that these settings name."""
    return Layout(settings.root).lake


def _archive_and_die(settings: Settings, step: str, count: int) -> None:
    heard = []

    def die(name: str) -> None:
        heard.append(name)
        if heard.count(step) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    with only_archiver(lake_of(settings)):
        Archiver(open_consumer(settings), settings, die).run_once()

"""The workers of one version of the models: each is replaced when it ends, ever later when it ends again and again."""

import asyncio
import contextlib
import logging
import os
import random
import time
from typing import Protocol

from serving.inference import tally
from serving.inference.nursery import Nursery
from serving.inference.target import Target
from serving.inference.worker_process import REAP_SECONDS, WorkerProcess

logger = logging.getLogger(__name__)

START_SECONDS = 90.0  # to load, compile and warm
CHECK_SECONDS, STOPPED_SECONDS = 0.5, 1.0
LASTING_SECONDS = 30.0  # a worker that served so long was a good one
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.25, 10.0
JITTER_SHARE = 0.2


class Desk(Protocol):
    """Who hands out the questions (serving.inference.dispatcher)."""

    def joined(self, worker: WorkerProcess) -> None:
        """A worker is ready."""
        ...

    def finished(self, worker: WorkerProcess, status: int, body: bytes) -> None:
        """A worker has answered."""
        ...

    def lost(self, worker: WorkerProcess) -> None:
        """A worker has ended."""
        ...

    def ended_unasked(self, cause: str) -> None:
        """Count it."""
        ...


class Pace:
    """How long to wait before the next start: not at all after a worker that lasted, then ever longer."""

    def __init__(self) -> None:
        self._short_lives = 0

    def delay_after(self, served_seconds: float) -> float:
        """Seconds to wait after a worker that served so long; 0 is never ready."""
        if served_seconds >= LASTING_SECONDS:
            self._short_lives = 0
        self._short_lives += 1
        if self._short_lives == 1 and served_seconds > 0:
            return 0.0
        delay = FIRST_DELAY_SECONDS * 2.0 ** min(self._short_lives - 1, 16)
        return min(delay, LONGEST_DELAY_SECONDS) * random.uniform(1 - JITTER_SHARE, 1 + JITTER_SHARE)


class Crew:
    """`size` workers on one target. The first starts alone: what it compiles, the others find.

    So many start at once as half the cores: when all have ended, the first is back the sooner.
    """

    def __init__(self, target: Target, size: int, desk: Desk, nursery: Nursery) -> None:
        self.target, self._size, self._desk, self._nursery = target, size, desk, nursery
        self.is_serving = False
        self.first_ready, self.all_ready = asyncio.Event(), asyncio.Event()
        self._starts = asyncio.Semaphore(max(1, (os.cpu_count() or 1) // 2))
        self._workers: set[WorkerProcess] = set()
        self._delisted_frame = b""
        self._is_ending = False
        self._keepers: list[asyncio.Task[None]] = []
        self._burials: set[asyncio.Task[None]] = set()

    @property
    def ready_workers(self) -> list[WorkerProcess]:
        """Those that are loaded and warm."""
        return [worker for worker in self._workers if worker.ready.is_set()]

    @property
    def pids(self) -> list[int]:
        """Process ids of its workers."""
        return [worker.pid for worker in self._workers]

    def begin(self, delisted_frame: bytes) -> None:
        """Start the workers."""
        self._delisted_frame = delisted_frame
        self._keepers = [asyncio.create_task(self._keep(place)) for place in range(self._size)]

    def tell_delisted(self, frame: bytes) -> None:
        """Hand to every worker, those to come too, which items must not be shown."""
        self._delisted_frame = frame
        for worker in self._workers:
            worker.tell_delisted(frame)

    def retire(self) -> None:
        """Start nobody anew; those still at a question end after it."""
        self._is_ending = True
        self.is_serving = False
        for keeper in self._keepers:
            keeper.cancel()
        for worker in self._workers:
            if not worker.ready.is_set():
                worker.end()

    async def end(self) -> None:
        """End every worker and wait until none is left."""
        self.retire()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for worker in list(self._workers):
            worker.end()
        await self.ended()

    async def ended(self) -> None:
        """Wait until no worker is left."""
        while self._workers or self._burials:
            await asyncio.sleep(REAP_SECONDS)

    def became_ready(self, worker: WorkerProcess) -> None:
        """A worker has loaded and warmed its models."""
        if self._is_ending:
            worker.end()
            return
        logger.info("worker_ready pid=%d version=%s", worker.pid, self.target.version)
        self.first_ready.set()
        if len(self.ready_workers) == self._size:
            self.all_ready.set()
        if self.is_serving:
            self._desk.joined(worker)

    def answered(self, worker: WorkerProcess, status: int, body: bytes) -> None:
        """A worker has answered its question."""
        self._desk.finished(worker, status, body)

    def was_lost(self, worker: WorkerProcess) -> None:
        """A worker has ended."""
        if not worker.is_ending:
            logger.error("worker_ended pid=%d cause=%s version=%s", worker.pid, worker.cause, self.target.version)
            self._desk.ended_unasked(worker.cause)
        self._workers.discard(worker)
        self._desk.lost(worker)
        burial = asyncio.create_task(worker.bury())
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)

    async def _keep(self, place: int) -> None:
        if place > 0:
            await self.first_ready.wait()
        pace = Pace()
        while True:
            served_seconds = await self._run_one()
            await asyncio.sleep(pace.delay_after(served_seconds))

    async def _run_one(self) -> float:
        """Start a worker and wait for its end; how long it served."""
        async with self._starts:
            worker = await self._start()
        if worker is None:
            return 0.0
        began = time.monotonic()
        was_ready = worker.ready.is_set()
        await worker.gone.wait()
        return time.monotonic() - began if was_ready else 0.0

    async def _start(self) -> WorkerProcess | None:
        """A worker that is ready or has ended; None when no process can be started."""
        try:
            worker = await self._nursery.take()
        except OSError as error:
            logger.error("worker_not_started: %s", error)
            return None
        self._workers.add(worker)
        worker.load(self.target, self)
        worker.tell_delisted(self._delisted_frame)
        await self._await_start(worker)
        return worker

    async def _await_start(self, worker: WorkerProcess) -> None:
        """Wait until it is ready or gone; one that takes too long, or stands still meanwhile, is killed."""
        stopped_seconds, until = 0.0, time.monotonic() + START_SECONDS
        while not worker.settled.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await worker.settled.wait()
            stopped_seconds = stopped_seconds + CHECK_SECONDS if worker.is_stopped else 0.0
            if stopped_seconds > STOPPED_SECONDS or time.monotonic() > until:
                worker.kill(tally.SLOW_START)
                await worker.gone.wait()

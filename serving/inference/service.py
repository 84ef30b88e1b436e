"""The inference service put together: a listener, a dispatcher, workers, and an eye on which models serve."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from contracts.errors import BadInput
from contracts.settings import Settings
from ingest.redis_store import open_store
from serving.inference import target
from serving.inference.address import inference_address, metrics_bind
from serving.inference.caller_stream import CallerStream
from serving.inference.crew import Crew
from serving.inference.dispatcher import Dispatcher, Limits
from serving.inference.listener import listening
from serving.inference.metrics_page import open_metrics_page
from serving.inference.nursery import Nursery
from serving.inference.target import Target
from serving.inference.target_watch import TargetWatch
from serving.inference.worker_process import DELISTED_NUMBER, control_frame

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.02
DRAIN_SECONDS = 3.0
SPREAD_SECONDS = 60.0  # how long models that one worker has loaded wait for the other workers


class Service:
    """Runs until it is told to end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dispatcher = Dispatcher(_limits(settings))
        self._nursery = Nursery()
        self._streams: set[CallerStream] = set()
        self._current: Crew | None = None
        self._coming: Crew | None = None
        self._delisted_frame = control_frame(DELISTED_NUMBER, [])
        self._taking_over: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Listen, and answer until SIGTERM or SIGINT; then finish what was asked. BadInput when a port is taken."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        address = inference_address(self._settings)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(listening(address, self._new_stream))
            await self._open_page(stack)
            watch = TargetWatch(lambda: open_store(self._settings, lambda _kind: None), _Relay(self, loop))
            watch.start()
            stack.callback(watch.close)
            logger.info("listening address=%s workers=%d", address, self._settings.inference_workers)
            ticks = asyncio.create_task(self._tick())
            ticks.add_done_callback(lambda _: self._ending.set())
            await self._ending.wait()
            server.close()
            await self._drain()
            ticks.cancel()
            await asyncio.wait([ticks])
        if not ticks.cancelled():
            ticks.result()

    def retarget(self, target: Target) -> None:
        """Answer with these models as soon as they are warm; those that answer now go on until then."""
        if self._ending.is_set() or (self._coming is not None and self._coming.target == target):
            return
        self._abandon_coming()
        if self._current is not None and self._current.target == target:
            return
        logger.info("models_loading version=%s", target.version)
        self._coming = Crew(target, self._settings.inference_workers, self._dispatcher, self._nursery)
        self._coming.begin(self._delisted_frame)
        self._taking_over = self._later(self._take_over(self._coming))

    def delist(self, item_ids: list[str]) -> None:
        """Show none of these items from the next question on, and no others than these are hidden."""
        self._delisted_frame = control_frame(DELISTED_NUMBER, item_ids)
        for crew in filter(None, (self._current, self._coming)):
            crew.tell_delisted(self._delisted_frame)
        self._dispatcher.forget_answers()

    def recall(self) -> None:
        """Answer with the models of the last time when nothing else is known."""
        if self._current is None and self._coming is None and (known := target.recall(self._settings.root)):
            self.retarget(known)

    async def _take_over(self, crew: Crew) -> None:
        await crew.first_ready.wait()
        if self._current is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SPREAD_SECONDS):
                    await crew.all_ready.wait()
        while not crew.ready_workers:  # it has ended since; another one comes
            await asyncio.sleep(TICK_SECONDS)
        retired, self._current, self._coming = self._current, crew, None
        crew.is_serving = True
        if retired is not None:
            retired.retire()
        self._dispatcher.switch(crew.ready_workers, crew.target.version)
        logger.info("models_answer version=%s", crew.target.version)
        try:
            target.remember(self._settings.root, crew.target)
        except OSError as error:
            logger.warning("target_not_remembered: %s", error)
        if retired is not None:
            await retired.ended()

    def _abandon_coming(self) -> None:
        if self._coming is not None and self._taking_over is not None:
            self._taking_over.cancel()
            self._later(self._coming.end())
            self._coming = None

    async def _open_page(self, stack: AsyncExitStack) -> None:
        bind = metrics_bind(self._settings)
        if bind is None:
            return
        try:
            page = await open_metrics_page(self._dispatcher, *bind)
        except OSError as error:
            raise BadInput(f"the page of metrics cannot open ({error}); set HEADRACE_INFERENCE_METRICS") from error
        stack.callback(page.close)

    async def _tick(self) -> None:
        while True:
            self._dispatcher.tick()
            await asyncio.sleep(TICK_SECONDS)

    async def _drain(self) -> None:
        self._dispatcher.is_draining = True
        until = time.monotonic() + DRAIN_SECONDS
        while not self._dispatcher.is_quiet and time.monotonic() < until:
            await asyncio.sleep(TICK_SECONDS)
        for stream in list(self._streams):
            stream.close()
        self._abandon_coming()
        if self._current is not None:
            await self._current.end()
        await self._nursery.end()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _new_stream(self) -> CallerStream:
        return CallerStream(self._dispatcher, self._streams)

    def _later(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("task_failed", exc_info=error)


class _Relay:
    """What the watch's thread says, said again in the loop."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service, self._loop = service, loop

    def target(self, target: Target) -> None:
        self._loop.call_soon_threadsafe(self._service.retarget, target)

    def delisted(self, item_ids: list[str]) -> None:
        self._loop.call_soon_threadsafe(self._service.delist, item_ids)

    def unreadable(self) -> None:
        self._loop.call_soon_threadsafe(self._service.recall)


def run_service(settings: Settings) -> None:
    """Serve until SIGTERM; BadInput for settings that cannot work."""
    asyncio.run(Service(settings).run())


def _limits(settings: Settings) -> Limits:
    milliseconds = 1 / 1_000
    return Limits(
        queue=settings.inference_queue,
        cache_seconds=settings.inference_cache_ms * milliseconds,
        stuck_seconds=settings.inference_stuck_ms * milliseconds,
    )

"""A worker in reserve: its modules are imported and no model is loaded, so that a replacement starts in a moment."""

import asyncio
import logging

from serving.inference import tally
from serving.inference.worker_process import WorkerProcess, start_worker

logger = logging.getLogger(__name__)

REST_SECONDS = 3.0  # before another reserve starts: whoever is being started now goes first
CHECK_SECONDS, PATIENCE_SECONDS = 0.5, 3.0


class Nursery:
    """Hands out workers; one is kept ready beside them."""

    def __init__(self) -> None:
        self._reserve: WorkerProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._is_ending = False

    async def take(self) -> WorkerProcess:
        """The reserve, or a process just started; OSError when none can be."""
        worker, self._reserve = self._reserve, None
        if self._keeper is None and not self._is_ending:
            self._keeper = asyncio.create_task(self._keep())
        if worker is not None and worker.is_stopped:
            worker.kill(tally.STUCK)
            await worker.bury()
            worker = None
        return await start_worker() if worker is None or worker.gone.is_set() else worker

    async def end(self) -> None:
        """Keep none any more."""
        self._is_ending = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._reserve is not None:
            self._reserve.end()
            await self._reserve.bury()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(REST_SECONDS)
            try:
                self._reserve = reserve = await start_worker()
            except OSError as error:
                logger.error("reserve_not_started: %s", error)
                continue
            while self._reserve is reserve and not reserve.gone.is_set():
                reserve.check(CHECK_SECONDS, PATIENCE_SECONDS)
                await asyncio.sleep(CHECK_SECONDS)
            if self._reserve is reserve:
                self._reserve = None
                await reserve.bury()

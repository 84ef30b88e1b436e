"""A worker in reserve: its modules are imported and no model is loaded, so that a replacement starts in a moment."""

import asyncio
import logging

from serving.inference.worker_process import WorkerProcess, start_worker

logger = logging.getLogger(__name__)

REST_SECONDS = 5.0  # before another reserve starts: what is being started now goes first


class Nursery:
    """Hands out workers; one is kept ready beside them."""

    def __init__(self) -> None:
        self._reserve: WorkerProcess | None = None
        self._filling: asyncio.Task[None] | None = None
        self._is_ending = False

    async def take(self) -> WorkerProcess:
        """The reserve, or a process just started; OSError when none can be."""
        worker, self._reserve = self._reserve, None
        if not self._is_ending and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._fill())
        if worker is None or worker.gone.is_set():
            return await start_worker()
        return worker

    async def end(self) -> None:
        """Keep none any more."""
        self._is_ending = True
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait([self._filling])
        if self._reserve is not None:
            self._reserve.end()
            await self._reserve.bury()

    async def _fill(self) -> None:
        await asyncio.sleep(REST_SECONDS)
        try:
            self._reserve = await start_worker()
        except OSError as error:
            logger.error("reserve_not_started: %s", error)

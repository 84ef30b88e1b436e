"""An embedded Redis server that is started again when it dies."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from headrace import embedded_redis
from headrace.processes import ProcessSet

MOST_REVIVALS = 5  # a server that keeps dying has a cause that its log tells


@dataclass(slots=True)
class RevivedRedis:
    """A component `name` with its files in `folder`; `on_revived` runs each time that it is up again."""

    name: str
    folder: Path
    port: int
    on_revived: Callable[[], None]
    options: tuple[str, ...] = ()
    _revivals: int = field(default=0, init=False)

    def start(self, processes: ProcessSet) -> str:
        """Start it as a component of `processes`; its URL."""
        server = embedded_redis.start(self.folder, self.port, options=self.options)
        may_revive = self._revivals < MOST_REVIVALS
        revive = (lambda: self._revive(processes)) if may_revive else None
        processes.adopt(self.name, server.process, self.folder / embedded_redis.LOG_FILE, revive)
        return server.url

    def _revive(self, processes: ProcessSet) -> None:
        self._revivals += 1
        self.start(processes)
        self.on_revived()

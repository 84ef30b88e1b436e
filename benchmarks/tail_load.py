"""Load on a clock: requests are sent when they are due, whatever became of those before; latency counts from then."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

LATEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: when it was due (seconds from the start), how long until its answer, and what that was.

    `status` is 0 where there was no answer.
    """

    due: float
    seconds: float
    status: int
    source: str


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: a URL, and bodies to post, or none to get the path of the URL."""

    url: str
    bodies: Sequence[bytes] = ()

    def message(self, number: int) -> bytes:
        """The bytes of one request."""
        parts = urlsplit(self.url)
        head = f"Host: {parts.netloc}\r\n"
        if not self.bodies:
            return f"GET {parts.path} HTTP/1.1\r\n{head}\r\n".encode()
        body = self.bodies[number % len(self.bodies)]
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"POST {parts.path} HTTP/1.1\r\n{head}{kind}\r\n".encode() + body


def send_on_a_clock(load: Load, due: Sequence[float], first: int = 0) -> list[Seen]:
    """Send one request at each instant of `due` (seconds from now), each on a connection that is free or new."""
    return asyncio.run(_open_loop(load, due, first))


def send_in_turn(load: Load, seconds: float, connections: int, first: int = 0) -> list[Seen]:
    """Each connection sends its next request when the one before is answered."""
    return asyncio.run(_closed_loop(load, seconds, connections, first))


def steady(rate: float, seconds: float, begin: float = 0.0) -> list[float]:
    """Instants at an even rate."""
    return [begin + number / rate for number in range(int(rate * seconds))]


def quantile_ms(seen: Sequence[Seen], share: float) -> float:
    """A quantile of latencies in milliseconds."""
    return float(np.quantile([one.seconds for one in seen], share) * 1e3)


class _Links:
    """Connections that are kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._place = parts.hostname or "", parts.port or 80
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, message: bytes) -> tuple[int, str]:
        """Status and source of the answer; status 0 when the connection fails."""
        try:
            reader, writer = self._free.pop() if self._free else await asyncio.open_connection(*self._place)
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
        except (OSError, asyncio.IncompleteReadError):
            return 0, ""
        self._free.append((reader, writer))
        return int(head.split(b" ", 2)[1]), _source(body)

    def close(self) -> None:
        """Let go of all."""
        for _, writer in self._free:
            writer.close()


async def _open_loop(load: Load, due: Sequence[float], first: int) -> list[Seen]:
    links, begun = _Links(load.url), time.perf_counter()
    tasks = []
    for number, at in enumerate(due, first):
        await asyncio.sleep(max(0.0, begun + at - time.perf_counter()))
        tasks.append(asyncio.create_task(_one(links, load.message(number), begun + at, begun)))
    seen = await asyncio.gather(*tasks)
    links.close()
    return list(seen)


async def _closed_loop(load: Load, seconds: float, connections: int, first: int) -> list[Seen]:
    links, begun, seen = _Links(load.url), time.perf_counter(), list[Seen]()

    async def keep_asking(number: int) -> None:
        while time.perf_counter() - begun < seconds:
            seen.append(await _one(links, load.message(number), time.perf_counter(), begun))
            number += connections

    await asyncio.gather(*(keep_asking(first + number) for number in range(connections)))
    links.close()
    return seen


async def _one(links: _Links, message: bytes, due: float, begun: float) -> Seen:
    try:
        status, source = await asyncio.wait_for(links.ask(message), LATEST_SECONDS)
    except TimeoutError:
        status, source = 0, ""
    return Seen(due - begun, time.perf_counter() - due, status, source)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _source(body: bytes) -> str:
    _, _, rest = body.partition(b'"source":')
    return rest.lstrip(b' "').partition(b'"')[0].decode()

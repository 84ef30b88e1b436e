"""One worker as its parent sees it: a process at the other end of a pair of sockets."""

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Protocol, cast

import msgspec

from contracts.errors import CorruptData
from serving.inference import messages, tally
from serving.inference.frames import FrameReader
from serving.inference.target import Target

logger = logging.getLogger(__name__)

READY_NUMBER, QUESTION_NUMBER, DELISTED_NUMBER, LOAD_NUMBER, PING_NUMBER = range(5)  # kinds of frames
END_SECONDS, REAP_SECONDS = 5.0, 0.02
FIRST_PING_SECONDS = 60.0  # for an answer of one that still imports
PING_SECONDS = 0.5  # after which one with nothing to do is asked whether it lives
LONGEST_REPLY = 16 * 1024**2


class Owner(Protocol):
    """Who hears of a worker."""

    def became_ready(self, worker: "WorkerProcess") -> None:
        """It has loaded and warmed its models."""
        ...

    def answered(self, worker: "WorkerProcess", status: int, body: bytes) -> None:
        """It has answered its question."""
        ...

    def was_lost(self, worker: "WorkerProcess") -> None:
        """It has ended, asked or unasked."""
        ...


def control_frame(number: int, content: object) -> bytes:
    """What is told to a worker besides questions."""
    body = msgspec.msgpack.encode(content)
    return messages.REQUEST_HEADER.pack(len(body), 0, number, bytes(messages.DIGEST_BYTES)) + body


class WorkerProcess(asyncio.Protocol):
    """A child process. Whatever ends it, its parent sees the stream close, and it sees that of its parent."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._owner: Owner | None = None
        self._frames = FrameReader(messages.REPLY_HEADER, LONGEST_REPLY)
        self._transport: asyncio.Transport | None = None
        self.ready, self.gone, self.settled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.is_ending = False
        self._quiet_seconds, self._is_pinged, self._has_answered = 0.0, False, False
        self.cause = tally.ENDED

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, budget_ms: int, digest: bytes, body: bytes) -> None:
        """Hand over a question."""
        self._write(messages.REQUEST_HEADER.pack(len(body), budget_ms, QUESTION_NUMBER, digest) + body)

    def load(self, target: Target, owner: Owner) -> None:
        """Make it load and warm these models; its owner hears the rest."""
        self._owner = owner
        self._write(control_frame(LOAD_NUMBER, [target.version, target.interval]))

    def tell_delisted(self, frame: bytes) -> None:
        """Hand over which items must not be shown."""
        self._write(frame)

    @property
    def is_stopped(self) -> bool:
        """Whether it stands still, as by SIGSTOP: it would neither load nor answer."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_bytes()
        except OSError:
            return False
        return stat.rpartition(b")")[2].split(maxsplit=1)[:1] in ([b"T"], [b"t"])

    def check(self, seconds: float, patience_seconds: float) -> None:
        """Ask whether it lives while it has nothing to do, and kill one that is silent for longer than `patience`.

        `seconds` passed since the last check, in which this process ran: its own pauses are nobody's silence.
        """
        self._quiet_seconds += seconds
        patience = patience_seconds if self._has_answered else FIRST_PING_SECONDS
        if not self._is_pinged and self._quiet_seconds >= PING_SECONDS:
            self._quiet_seconds, self._is_pinged = 0.0, True
            self._write(control_frame(PING_NUMBER, None))
        elif self._is_pinged and self._quiet_seconds > patience:
            self._quiet_seconds = 0.0
            self.kill(tally.STUCK)

    def end(self) -> None:
        """Close the stream, upon which it ends by itself."""
        self.is_ending = True
        if self._transport is not None:
            self._transport.close()

    def kill(self, cause: str) -> None:
        """End it by force; its stream closes then."""
        if not self.gone.is_set():
            logger.error("worker_killed pid=%d cause=%s", self.pid, cause)
        self.cause = cause
        self._process.kill()

    async def bury(self) -> None:
        """Wait until the process is no more, by force when it does not end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS if self.is_ending else 0):
                await self._reaped()
        self._process.kill()
        await self._reaped()

    async def _reaped(self) -> None:
        while self._process.poll() is None:
            await asyncio.sleep(REAP_SECONDS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take what it says; whoever says something else than a reply is ended."""
        try:
            for (_, status, number), body in self._frames.feed(data):
                self._take(status, number, body)
        except (CorruptData, KeyError) as error:
            logger.error("worker_talks_nonsense pid=%d: %s", self.pid, error)
            self.kill(tally.ENDED)

    def connection_lost(self, _error: Exception | None) -> None:
        """It has ended, or ends by itself now."""
        self.gone.set()
        self.settled.set()
        if self._owner is not None:
            self._owner.was_lost(self)

    def _take(self, status: int, number: int, body: bytes) -> None:
        if number == PING_NUMBER:
            self._quiet_seconds, self._is_pinged, self._has_answered = 0.0, False, True
            return
        if self._owner is None:
            raise CorruptData("it spoke before it was asked to load anything")
        if number != READY_NUMBER:
            self._owner.answered(self, status, body)
        elif status == messages.ANSWERED:
            self._has_answered = True
            self.ready.set()
            self.settled.set()
            self._owner.became_ready(self)
        else:
            logger.error("worker_not_ready pid=%d: %s", self.pid, body.decode(errors="replace"))

    def _write(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)


async def start_worker() -> WorkerProcess:
    """Start a process that is told later what to load; OSError when there is no room."""
    ours, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        command = [sys.executable, "-m", "serving.inference.worker", str(os.getpid()), str(number)]
        try:
            process = subprocess.Popen(command, pass_fds=[number], stdin=subprocess.DEVNULL)
        except BaseException:
            ours.close()
            raise
    _, worker = await asyncio.get_running_loop().create_connection(lambda: WorkerProcess(process), sock=ours)
    return worker

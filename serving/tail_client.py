"""Questions to the inference service, each answered by its deadline or failed with a kind that says why."""

import itertools
import socket
import struct
import threading
import time

import msgspec

from contracts.errors import HeadraceError
from contracts.settings import Settings
from ingest.breaker import Breaker
from serving.inference import messages
from serving.inference.address import Address, inference_address
from serving.inference.messages import MAX_BODY_BYTES, REPLY_HEADER, TailAnswer, TailAsk

BUSY, LATE, FAILED, NOT_READY = "busy", "late", "failed", "not_ready"  # what the service says, or would
UNREACHABLE, OPEN, CROWDED = "unreachable", "open", "crowded"  # what is known without it
FAILURE_KINDS = (BUSY, LATE, FAILED, NOT_READY, UNREACHABLE, OPEN, CROWDED)
SLOW_SHARE = 0.8  # of the longest wait: an answer that takes longer is a sign of what comes
PROBES = 3
RECEIVE_BYTES = 65_536
SLACK_SECONDS = 0.001  # how much longer than its deadline a call may wait, to save setting the time-out anew
TIMEVAL = struct.Struct("@ll")
KIND_OF_STATUS = {messages.BUSY: BUSY, messages.LATE: LATE, messages.FAILED: FAILED, messages.NOT_READY: NOT_READY}


class TailFailure(HeadraceError):
    """There is no answer; `kind` is one of FAILURE_KINDS."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class TailClient:
    """One connection a thread; at most `seats` threads wait at once, and whoever comes then is told so."""

    def __init__(self, address: Address, breaker: Breaker, seats: int) -> None:
        self._address = address
        self._breaker = breaker
        self._seats = threading.BoundedSemaphore(seats)
        self._mine = threading.local()
        self._links: set[_Link] = set()

    @property
    def breaker_state(self) -> str:
        """State of its breaker, as in ingest.breaker."""
        return self._breaker.state

    def ask(self, ask: TailAsk, deadline: float) -> TailAnswer:
        """The answer; TailFailure by the deadline, an instant of time.monotonic(), and never later."""
        if not self._seats.acquire(blocking=False):
            raise TailFailure(CROWDED, "as many look-ups as may wait for inference do so already")
        try:
            return self._guarded(ask, deadline)
        finally:
            self._seats.release()

    def close(self) -> None:
        """Close every connection."""
        for link in list(self._links):
            link.close()

    def _guarded(self, ask: TailAsk, deadline: float) -> TailAnswer:
        if not self._breaker.allows():
            raise TailFailure(OPEN, "inference failed a moment ago and is not asked until a probe succeeds")
        started = time.monotonic()
        try:
            answer = self._call(ask, deadline)
        except TailFailure as failure:
            if failure.kind in (LATE, UNREACHABLE):
                self._breaker.failed()
            else:  # it lives and answers
                self._breaker.succeeded(time.monotonic() - started)
            raise
        except BaseException:
            self._breaker.failed()
            raise
        self._breaker.succeeded(time.monotonic() - started)
        return answer

    def _call(self, ask: TailAsk, deadline: float) -> TailAnswer:
        body = ask.encode()
        link: _Link | None = getattr(self._mine, "link", None)
        if link is not None and link.is_open:
            try:
                return link.ask(body, deadline)
            except TailFailure as failure:  # a service that was started anew: a fresh connection may do
                if failure.kind != UNREACHABLE:
                    raise
        if link is not None:
            self._links.discard(link)
        link = self._mine.link = _Link(self._address, deadline)
        self._links.add(link)
        return link.ask(body, deadline)


class _Link:
    """A connection for one thread at a time. A late reply is passed over by the next question."""

    def __init__(self, address: Address, deadline: float) -> None:
        self._address = address
        self._numbers = itertools.count(1)
        self._received = bytearray()
        self._armed_seconds = 0.0
        self._late_count = 0
        self.is_open = True
        self._socket = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.connect(address.target)
            self._socket.settimeout(None)
            if not address.unix_path:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self.close()
            raise TailFailure(UNREACHABLE, f"inference at {address} cannot be reached: {error}") from error
        except TailFailure:
            self.close()
            raise

    def ask(self, body: bytes, deadline: float) -> TailAnswer:
        """Send one question and wait for its answer."""
        number = next(self._numbers)
        self._send(number, body, deadline)
        try:
            status, reply = self._receive(number, deadline)
        except (TimeoutError, BlockingIOError):  # the latter is how a time-out of the kernel shows
            self._late_count += 1
            if self._late_count > 1:
                self.close()
            raise _late() from None
        except (OSError, ValueError, struct.error) as error:
            raise self._broken(error) from error
        self._late_count = 0
        if status != messages.ANSWERED:
            raise TailFailure(KIND_OF_STATUS.get(status, FAILED), reply.decode(errors="replace"))
        return self._decode(reply)

    def close(self) -> None:
        """Close the stream; once is enough, twice does no harm."""
        self.is_open = False
        self._socket.close()

    def _send(self, number: int, body: bytes, deadline: float) -> None:
        budget_ms = int(_left(deadline) * 1_000)
        try:
            self._arm(deadline)
            self._socket.sendall(messages.pack_request(number, budget_ms, body))
        except (TimeoutError, BlockingIOError):
            self.close()  # half a frame may be out
            raise _late() from None
        except OSError as error:
            raise self._broken(error) from error

    def _receive(self, number: int, deadline: float) -> tuple[int, bytes]:
        received = self._received
        while True:
            while len(received) >= REPLY_HEADER.size:
                length, status, of_number = REPLY_HEADER.unpack_from(received)
                if length > MAX_BODY_BYTES or of_number > number:
                    raise ValueError(f"it sent {bytes(received[:20])!r}, no reply of ours")
                end = REPLY_HEADER.size + length
                if len(received) < end:
                    break
                reply = bytes(received[REPLY_HEADER.size : end])
                del received[:end]
                if of_number == number:
                    return status, reply
            self._arm(deadline)
            data = self._socket.recv(RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError("it closed the stream")
            received += data

    def _arm(self, deadline: float) -> None:
        left = _left(deadline)
        if not left <= self._armed_seconds <= left + SLACK_SECONDS:
            # Time-outs of the kernel spare the poll that Python adds to each call, and a release of its lock.
            self._armed_seconds = left + SLACK_SECONDS / 2
            seconds = TIMEVAL.pack(int(self._armed_seconds), int(self._armed_seconds % 1 * 1_000_000))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)

    def _decode(self, reply: bytes) -> TailAnswer:
        try:
            return messages.decode_answer(reply)
        except msgspec.MsgspecError as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> TailFailure:
        self.close()
        return TailFailure(UNREACHABLE, f"inference at {self._address} broke off: {error}")


def open_tail_client(settings: Settings) -> TailClient:
    """The client of a serving process: waiting holds at most a third of its threads; BadInput for a bad URL."""
    longest = settings.inference_timeout_ms / 1_000
    breaker = Breaker(settings.breaker_open_ms / 1_000, slow_seconds=SLOW_SHARE * longest, probes=PROBES)
    return TailClient(inference_address(settings), breaker, seats=max(1, settings.threads // 3))


def _late() -> TailFailure:
    return TailFailure(LATE, "inference did not answer by the deadline")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _late()
    return left

"""One stream to one Redis server; every operation ends by the deadline that it is given, or the stream is closed."""

import contextlib
import socket
import struct
import time
from typing import Any

import hiredis

from contracts.errors import StoreUnavailable
from ingest.redis_endpoint import Endpoint, tls_context

DEADLINE, CONNECTION, REFUSED, OPEN = "deadline", "connection", "refused", "open"
FAILURE_KINDS = (DEADLINE, CONNECTION, REFUSED, OPEN)
RECEIVE_BYTES = 16_384
SLACK_SECONDS = 0.001  # how much longer than its deadline a call may wait, to save setting the time-out anew
TIMEVAL = struct.Struct("@ll")


class RedisFailure(StoreUnavailable):
    """Redis did not give an answer; `kind` is one of FAILURE_KINDS."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Redirected(Exception):
    """A node of a cluster named another: MOVED or ASK, with its address."""

    def __init__(self, how: str, address: str) -> None:
        super().__init__(f"{how} to {address}")
        self.how, self.address = how, address


def pack(*parts: bytes) -> bytes:
    """One command as Redis reads it."""
    return b"*%d\r\n" % len(parts) + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts])


class Connection:
    """A connected, authenticated stream for one thread at a time. Deadlines are instants of time.monotonic()."""

    def __init__(self, endpoint: Endpoint, address: Any, deadline: float) -> None:
        self._endpoint = endpoint
        self._reader = hiredis.Reader()
        self._armed_seconds = 0.0
        self._socket = self._dial(address, deadline)
        greeting = _greeting(endpoint)
        if greeting:
            self.ask(b"".join(greeting), deadline, replies=len(greeting))

    def ask(self, command: bytes, deadline: float, *, replies: int = 1) -> Any:
        """Send packed commands and give the last reply; RedisFailure or Redirected, and then the stream is closed."""
        for reply in self.ask_each(command, deadline, replies=replies):
            if isinstance(reply, hiredis.ReplyError):
                self._raise_reply(str(reply))
        return reply

    def ask_each(self, command: bytes, deadline: float, *, replies: int) -> list[Any]:
        """Send packed commands and give every reply, errors of the server among them as values; RedisFailure."""
        try:
            self._arm(deadline)
            self._socket.sendall(command)
            return [self._receive(deadline) for _ in range(replies)]
        except (TimeoutError, BlockingIOError):  # the latter is how a time-out of the kernel shows
            self.close()
            raise RedisFailure(DEADLINE, f"Redis at {self._endpoint} did not answer by the deadline") from None
        except (OSError, hiredis.ProtocolError) as error:
            self.close()
            raise RedisFailure(CONNECTION, f"Redis at {self._endpoint} broke off: {error}") from error

    def close(self) -> None:
        """Close the stream; once is enough, twice does no harm."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _dial(self, address: Any, deadline: float) -> socket.socket:
        endpoint = self._endpoint
        stream = socket.socket(socket.AF_UNIX if endpoint.unix_path else address[0], socket.SOCK_STREAM)
        try:
            stream.settimeout(_left(deadline))
            stream.connect(endpoint.unix_path or address[1])
            if not endpoint.unix_path:
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.settimeout(None)
            if endpoint.tls:
                stream.settimeout(_left(deadline))
                context = tls_context(endpoint.tls_authorities, endpoint.tls_verified)
                return context.wrap_socket(stream, server_hostname=endpoint.host)
        except OSError as error:
            stream.close()
            kind = DEADLINE if isinstance(error, TimeoutError) else CONNECTION
            raise RedisFailure(kind, f"Redis at {endpoint} cannot be reached: {error}; is it running?") from error
        return stream

    def _arm(self, deadline: float) -> None:
        left = _left(deadline)
        if self._endpoint.tls:
            self._socket.settimeout(left)
        elif not left <= self._armed_seconds <= left + SLACK_SECONDS:
            # Time-outs of the kernel spare the poll that Python adds to each call, and a release of its lock.
            self._armed_seconds = left + SLACK_SECONDS / 2
            seconds = TIMEVAL.pack(int(self._armed_seconds), int(self._armed_seconds % 1 * 1_000_000))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)

    def _receive(self, deadline: float) -> Any:
        reply = self._reader.gets()
        while reply is False:
            data = self._socket.recv(RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError("it closed the stream")
            self._reader.feed(data)
            reply = self._reader.gets()
            if reply is False:
                self._arm(deadline)
        return reply

    def _raise_reply(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word in ("MOVED", "ASK"):
            raise Redirected(word, rest.split()[-1])
        self.close()
        raise RedisFailure(REFUSED, f"Redis at {self._endpoint} refused: {text}")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def _greeting(endpoint: Endpoint) -> list[bytes]:
    commands = []
    if endpoint.password:
        names = [endpoint.username.encode()] if endpoint.username else []
        commands.append(pack(b"AUTH", *names, endpoint.password.encode()))
    if endpoint.database:
        commands.append(pack(b"SELECT", b"%d" % endpoint.database))
    return commands

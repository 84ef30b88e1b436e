"""Calls of Redis that end by a deadline: a connection a thread, no retries but one, nothing hidden.

A stream that the server closed while it lay idle is replaced once, within the same deadline, so a command may arrive
twice.
"""

import socket
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from contracts.errors import CorruptData
from ingest.redis_commands import Command, is_unknown_script, refuse_errors
from ingest.redis_connection import CONNECTION, REFUSED, Connection, Redirected, RedisFailure
from ingest.redis_endpoint import Endpoint

RESOLVE_SECONDS = 30.0


class Reads(Protocol):
    """What a look-up asks of a store of keys; RedisFailure when there is no answer by the deadline."""

    def mget(self, keys: Sequence[str], deadline: float) -> list[bytes | None]:
        """Values of a few keys, None for an absent one."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...

    def close_mine(self) -> None:
        """Close the calling thread's connections, because that thread is about to end."""
        ...


class Sends(Protocol):
    """What writes to a store of keys; every command must bear to arrive twice."""

    def send(self, commands: Sequence[Command], deadline: float) -> list[Any]:
        """Reply to each command, in one round trip a server; RedisFailure when one fails: others may be done."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...

    def close_mine(self) -> None:
        """Close the calling thread's connections."""
        ...


class RedisClient:
    """One server, one connection a thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._addresses = Addresses(endpoint)
        self._mine = threading.local()
        self._all: weakref.WeakSet[Connection] = weakref.WeakSet()

    def mget(self, keys: Sequence[str], deadline: float) -> list[bytes | None]:
        """Values of keys in one round trip."""
        try:
            return values_of(self.ask(mget_command(keys), deadline), len(keys))
        except Redirected as redirected:
            hint = "it is a node of a cluster; set HEADRACE_REDIS_CLUSTER=true"
            raise RedisFailure(REFUSED, f"Redis at {self._endpoint} answered {redirected}: {hint}") from redirected

    def ask(self, command: bytes, deadline: float, *, replies: int = 1) -> Any:
        """Reply to a packed command; RedisFailure or, on a cluster, Redirected."""
        return self._on_stream(lambda link: link.ask(command, deadline, replies=replies), deadline)

    def send(self, commands: Sequence[Command], deadline: float) -> list[Any]:
        """Reply to each command, in one round trip; RedisFailure when one is refused."""
        replies = self.send_each(commands, deadline)
        refuse_errors(replies, str(self._endpoint))
        return replies

    def send_each(self, commands: Sequence[Command], deadline: float) -> list[Any]:
        """The same, with what the server refused among the replies; a script that it does not know is sent whole."""
        packed = b"".join([command.packed() for command in commands])
        replies: list[Any] = self._on_stream(
            lambda link: link.ask_each(packed, deadline, replies=len(commands)), deadline
        )
        if any(is_unknown_script(reply) for reply in replies):
            packed = b"".join([command.packed_whole() for command in commands])
            replies = self._on_stream(lambda link: link.ask_each(packed, deadline, replies=len(commands)), deadline)
        return replies

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in list(self._all):
            connection.close()

    def close_mine(self) -> None:
        """Close the calling thread's connection."""
        kept: Connection | None = getattr(self._mine, "connection", None)
        if kept is not None:
            kept.close()

    def _on_stream(self, talk: Callable[[Connection], Any], deadline: float) -> Any:
        kept: Connection | None = getattr(self._mine, "connection", None)
        self._mine.connection = None
        if kept is not None:
            try:
                return self._keep(kept, talk(kept))
            except RedisFailure as failure:
                if failure.kind != CONNECTION:
                    raise
            except Redirected:
                self._mine.connection = kept
                raise
        fresh = self._connect(deadline)
        try:
            return self._keep(fresh, talk(fresh))
        except Redirected:
            self._mine.connection = fresh
            raise

    def _keep(self, connection: Connection, reply: Any) -> Any:
        self._mine.connection = connection
        return reply

    def _connect(self, deadline: float) -> Connection:
        try:
            connection = Connection(self._endpoint, self._addresses.first(), deadline)
        except RedisFailure:
            self._addresses.look_up_later()
            raise
        self._all.add(connection)
        return connection


class Addresses:
    """A host's addresses, looked up off the request path, because a name server knows no deadline."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._known: list[Any] = []
        self._asked_at = float("-inf")
        self._error = "it was not looked up yet"
        if endpoint.host:
            self._look_up()

    def first(self) -> Any:
        """Family and address to dial (None for a Unix socket); RedisFailure while the name is unknown."""
        if self._endpoint.host and not self._known:
            raise RedisFailure(CONNECTION, f"the name in {self._endpoint} has no address: {self._error}")
        return self._known[0] if self._known else None

    def look_up_later(self) -> None:
        """Ask the name server again in a thread of its own, at most every RESOLVE_SECONDS."""
        if self._endpoint.host and time.monotonic() - self._asked_at > RESOLVE_SECONDS:
            self._asked_at = time.monotonic()
            threading.Thread(target=self._look_up, name="headrace-resolve", daemon=True).start()

    def _look_up(self) -> None:
        self._asked_at = time.monotonic()
        try:
            found = socket.getaddrinfo(self._endpoint.host, self._endpoint.port, type=socket.SOCK_STREAM)
            self._known = [(family, address) for family, _, _, _, address in found]
        except OSError as error:
            self._error = str(error)


def mget_command(keys: Sequence[str]) -> bytes:
    """A packed MGET; keys of the layout are ASCII."""
    words = "".join([f"${len(key)}\r\n{key}\r\n" for key in keys])
    return f"*{len(keys) + 1}\r\n$4\r\nMGET\r\n{words}".encode("ascii")


def values_of(reply: Any, count: int) -> list[bytes | None]:
    """Check that a reply is `count` values; CorruptData when it is something else."""
    if not isinstance(reply, list) or len(reply) != count:
        raise CorruptData(f"MGET of {count} keys was answered by {str(reply)[:80]!r}; is this a Redis server?")
    return reply

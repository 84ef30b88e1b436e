"""Writes and removes many keys: packed commands in few large sends, every reply read and judged."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import redis

from spark_jobs.redis_store import Store

BATCH_BYTES, BATCH_COMMANDS = 262_144, 512
WINDOW = 2  # batches sent and not yet answered: the next one is encoded while the server works

Entry = tuple[str, bytes]
Command = tuple[str | bytes | int, ...]


@dataclass(slots=True)
class _Batch:
    packed: list[bytes] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    size: int = 0


class _Link:
    """One connection to one node. Replies are a few bytes each, so a bounded window can never deadlock."""

    def __init__(self, client: Any, resend: Callable[..., object]) -> None:
        self._pool = client.connection_pool
        self._connection = self._pool.get_connection()
        self._resend = resend
        self._filling = _Batch()
        self._sent: deque[_Batch] = deque()

    def add(self, packed: bytes, command: Command) -> None:
        """Queue one command; its parts are kept until it is acknowledged."""
        batch = self._filling
        batch.packed.append(packed)
        batch.commands.append(command)
        batch.size += len(packed)
        if batch.size >= BATCH_BYTES or len(batch.commands) >= BATCH_COMMANDS:
            self._send()

    def finish(self) -> None:
        """Send what is left and read every reply."""
        if self._filling.commands:
            self._send()
        while self._sent:
            self._receive()

    def close(self) -> None:
        """Give the connection back; one with replies still to come is useless to others."""
        if self._sent:
            self._connection.disconnect()
        self._pool.release(self._connection)

    def _send(self) -> None:
        if len(self._sent) >= WINDOW:
            self._receive()
        self._connection.send_packed_command([b"".join(self._filling.packed)], check_health=False)
        self._sent.append(self._filling)
        self._filling = _Batch()

    def _receive(self) -> None:
        batch = self._sent[0]
        for command in batch.commands:
            try:
                self._connection.read_response()
            except redis.exceptions.AskError:  # or MOVED, its subclass: the slot is on its way to another node
                # redis-py follows the redirect and learns the owner
                self._resend(*command)
        self._sent.popleft()


class PackedWriter:
    """Keys in, keys out, at every node of a store; use as a context manager. Redis's errors pass through."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._links = {node.name: _Link(node.client, store.client.execute_command) for node in store.nodes()}
        self._alone = next(iter(self._links.values())) if len(self._links) == 1 else None

    def __enter__(self) -> "PackedWriter":
        return self

    def __exit__(self, *_: object) -> None:
        for link in self._links.values():
            link.close()

    def write(self, entries: Iterable[Entry], ttl_seconds: int) -> None:
        """Set every key for `ttl_seconds`; returns once each is acknowledged."""
        tail = b"$2\r\nEX\r\n" + _bulk(str(ttl_seconds).encode())
        for key, value in entries:
            name = key.encode()
            packed = b"*5\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (len(name), name, len(value), value, tail)
            self._link(key).add(packed, ("SET", key, value, "EX", ttl_seconds))
        self._finish()

    def unlink(self, keys: Iterable[str]) -> None:
        """Remove keys, one command each, so that no other client ever waits for more than one."""
        for key in keys:
            self._link(key).add(b"*2\r\n$6\r\nUNLINK\r\n" + _bulk(key.encode()), ("UNLINK", key))
        self._finish()

    def _link(self, key: str) -> _Link:
        return self._alone or self._links[self._store.node_name(key)]

    def _finish(self) -> None:
        for link in self._links.values():
            link.finish()


def _bulk(part: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(part), part)

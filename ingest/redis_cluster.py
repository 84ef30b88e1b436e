"""A Redis Cluster: keys go to the node that holds their slot, each node behind a breaker of its own.

The slot map is read from CLUSTER SLOTS; a MOVED or ASK is followed once within the deadline of the
call, and the map is then read again off the request path.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from redis.crc import key_slot

from contracts.errors import HeadraceError
from ingest.redis_client import RedisClient, mget_command, values_of
from ingest.redis_commands import Command, is_redirection, refuse_errors
from ingest.redis_connection import CONNECTION, REFUSED, Redirected, RedisFailure, pack
from ingest.redis_endpoint import Endpoint
from ingest.redis_guard import GuardedRedis

logger = logging.getLogger(__name__)

MAP_SECONDS = 1.0  # deadline of reading the map, off the request path, and least time between two readings


class ClusterReads:
    """MGET of a few keys by slot; `guard` wraps each node's reads in its breaker."""

    def __init__(self, seed: Endpoint, guard: Callable[["_Node"], GuardedRedis]) -> None:
        self._seed = seed
        self._guard = guard
        self._nodes: dict[Endpoint, _Node] = {}
        self._guards: dict[Endpoint, GuardedRedis] = {}
        self._owners: list[tuple[int, int, Endpoint]] = []
        self._lock = threading.Lock()
        self._map_read_at = float("-inf")
        self._read_map_now()

    @property
    def is_closed(self) -> bool:
        """Whether calls to every node pass."""
        return all(guard.is_closed for guard in list(self._guards.values()))

    def mget(self, keys: Sequence[str], deadline: float) -> list[bytes | None]:
        """Values of keys, one call a node; RedisFailure when a node does not answer or nobody holds a slot."""
        by_node: dict[Endpoint, list[str]] = defaultdict(list)
        for key in keys:
            by_node[self._owner(key)].append(key)
        found: dict[str, bytes | None] = {}
        for endpoint, group in by_node.items():
            for same_slot in _by_slot(group):
                found.update(zip(same_slot, self._ask(endpoint, same_slot, deadline), strict=True))
        return [found[key] for key in keys]

    def send(self, commands: Sequence[Command], deadline: float) -> list[Any]:
        """Reply to each command, one round trip a node; RedisFailure when one fails."""
        by_node: dict[Endpoint, list[int]] = defaultdict(list)
        for place, command in enumerate(commands):
            by_node[self._owner(command.keys[0])].append(place)
        found: dict[int, Any] = {}
        for endpoint, places in by_node.items():
            try:
                replies = self._guarded(endpoint).send([commands[place] for place in places], deadline)
            except RedisFailure:
                self._read_map_later()
                raise
            found.update(zip(places, replies, strict=True))
        return [found[place] for place in range(len(commands))]

    def close(self) -> None:
        """Close every connection to every node."""
        for node in list(self._nodes.values()):
            node.close()

    def close_mine(self) -> None:
        """Close the calling thread's connections."""
        for node in list(self._nodes.values()):
            node.close_mine()

    def _ask(self, endpoint: Endpoint, keys: Sequence[str], deadline: float) -> list[bytes | None]:
        try:
            return self._guarded(endpoint).mget(keys, deadline)
        except RedisFailure:
            self._read_map_later()
            raise

    def _owner(self, key: str) -> Endpoint:
        slot = key_slot(key.encode("ascii"))
        for first, last, endpoint in self._owners:
            if first <= slot <= last:
                return endpoint
        self._read_map_later()
        raise RedisFailure(CONNECTION, f"no node of the cluster at {self._seed} is known to hold slot {slot}")

    def _guarded(self, endpoint: Endpoint) -> GuardedRedis:
        with self._lock:
            if endpoint not in self._guards:
                self._guards[endpoint] = self._guard(self._node(endpoint))
            return self._guards[endpoint]

    def _node(self, endpoint: Endpoint) -> "_Node":
        if endpoint not in self._nodes:
            self._nodes[endpoint] = _Node(self, endpoint)
        return self._nodes[endpoint]

    def follow(self, redirected: Redirected, keys: Sequence[str], deadline: float) -> list[bytes | None]:
        """Ask the node that another named; a second redirection is a failure."""
        node = self._named(redirected.address)
        try:
            return node.ask(keys, deadline, is_asking=redirected.how == "ASK")
        except Redirected as again:
            raise RedisFailure(REFUSED, f"the cluster moved a slot twice within one call: {again}") from again

    def follow_command(self, redirection: str, command: Command, deadline: float) -> Any:
        """Send to the node that another named ("MOVED 12 host:port"); a second redirection is a failure."""
        how, _, address = redirection.split(" ", 2)
        return self._named(address).send_here(command, deadline, is_asking=how == "ASK")

    def _named(self, address: str) -> "_Node":
        self._read_map_later()
        host, _, port = address.rpartition(":")
        with self._lock:
            return self._node(self._seed.at(host or self._seed.host, int(port)))

    def _read_map_later(self) -> None:
        if time.monotonic() - self._map_read_at > MAP_SECONDS:
            self._map_read_at = time.monotonic()
            threading.Thread(target=self._read_map_now, name="headrace-slots", daemon=True).start()

    def _read_map_now(self) -> None:
        self._map_read_at = time.monotonic()
        for endpoint in [self._seed, *self._nodes]:
            client = RedisClient(endpoint)
            try:
                reply = client.ask(pack(b"CLUSTER", b"SLOTS"), time.monotonic() + MAP_SECONDS)
                self._owners = [_range(row, endpoint) for row in reply]
                return
            except (HeadraceError, Redirected) as error:
                logger.warning("redis_slots_unread node=%s: %s", endpoint, error)
            finally:
                client.close()


class _Node:
    """One node, as its guard sees it: a redirection is followed inside one call."""

    def __init__(self, cluster: ClusterReads, endpoint: Endpoint) -> None:
        self._cluster = cluster
        self._client = RedisClient(endpoint)
        self._name = str(endpoint)

    def mget(self, keys: Sequence[str], deadline: float) -> list[bytes | None]:
        try:
            return self.ask(keys, deadline)
        except Redirected as redirected:
            return self._cluster.follow(redirected, keys, deadline)

    def ask(self, keys: Sequence[str], deadline: float, *, is_asking: bool = False) -> list[bytes | None]:
        command = mget_command(keys)
        if is_asking:
            return values_of(self._client.ask(pack(b"ASKING") + command, deadline, replies=2), len(keys))
        return values_of(self._client.ask(command, deadline), len(keys))

    def send(self, commands: Sequence[Command], deadline: float) -> list[Any]:
        replies = self._client.send_each(commands, deadline)
        for place, reply in enumerate(replies):
            if is_redirection(reply):
                replies[place] = self._cluster.follow_command(str(reply), commands[place], deadline)
        refuse_errors(replies, self._name)
        return replies

    def send_here(self, command: Command, deadline: float, *, is_asking: bool) -> Any:
        asking = [Command((), (b"ASKING",))] if is_asking else []
        return self._client.send([*asking, command], deadline)[-1]

    def close(self) -> None:
        self._client.close()

    def close_mine(self) -> None:
        self._client.close_mine()


def _range(row: Sequence[Any], asked: Endpoint) -> tuple[int, int, Endpoint]:
    first, last, (host, port, *_) = row[0], row[1], row[2]
    return int(first), int(last), asked.at(host.decode() if host else asked.host, int(port))


def _by_slot(keys: Sequence[str]) -> list[list[str]]:
    groups: dict[int, list[str]] = defaultdict(list)
    for key in keys:
        groups[key_slot(key.encode("ascii"))].append(key)
    return list(groups.values())

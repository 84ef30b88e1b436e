"""The store of the lists as its writer sees it: the pointer, the fence, and whether there is room."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.retry import Retry

from contracts.errors import BadInput, CorruptData, StaleWriter, StoreRefused, StoreUnavailable
from contracts.redis_layout import FENCE, POINTER, Pointer
from contracts.settings import Settings

CONNECT_SECONDS, ANSWER_SECONDS = 5, 10
CLUSTER_RETRIES = 3  # follow a slot that moves
NO_EVICTION = "noeviction"
RESERVE_SHARE = 0.05  # of the server's memory, never planned for: clients' buffers, overlays, fragmentation
logger = logging.getLogger(__name__)

RAISE_FENCE = """
local fence = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') or 0, tonumber(ARGV[1])) + 1
redis.call('SET', KEYS[1], string.format('%d', fence))
return fence"""
# Only the latest claimant flips, and only from the pointer that it looked at. An emptied server has no claim.
FLIP = """
local claim = redis.call('GET', KEYS[2])
if claim ~= ARGV[1] then return {'claim', claim or 'none'} end
local found = redis.call('GET', KEYS[1]) or ''
if found ~= ARGV[2] then return {'moved', found} end
redis.call('SET', KEYS[1], ARGV[3])
return {'flipped', ''}"""


@dataclass(frozen=True, slots=True)
class Node:
    """One server that holds lists: its name, what redis-py calls it by, its share of the keys."""

    name: str
    client: Any
    share: float


@dataclass(slots=True)
class Store:
    """A server or a Redis Cluster, named by HEADRACE_REDIS_URL."""

    client: Any
    address: str

    def nodes(self) -> list[Node]:
        """Every server that takes writes."""
        if not isinstance(self.client, RedisCluster):
            return [Node(self.address, self.client, 1.0)]
        topology = self.client.nodes_manager
        slots = Counter(topology.get_node_from_slot(slot).name for slot in range(REDIS_CLUSTER_HASH_SLOTS))
        return [
            Node(node.name, self.client.get_redis_connection(node), slots[node.name] / REDIS_CLUSTER_HASH_SLOTS)
            for node in self.client.get_primaries()
        ]

    def node_name(self, key: str) -> str:
        """Name of the node that holds a key."""
        if not isinstance(self.client, RedisCluster):
            return self.address
        return str(self.client.get_node_from_key(key).name)

    def raw_pointer(self) -> bytes:
        """The pointer's bytes; empty when nothing was ever published."""
        return self.client.get(POINTER) or b""

    def pointer(self) -> Pointer | None:
        """The version that serves, or None; CorruptData when the key holds something else."""
        raw = self.raw_pointer()
        return Pointer.decode(raw) if raw else None

    def readable_pointer(self) -> Pointer | None:
        """The version that serves, or None when nothing readable stands there."""
        try:
            return self.pointer()
        except CorruptData:
            return None

    def raise_fence(self, floor: int) -> int:
        """Claim a fence above `floor` and above every fence claimed on this server."""
        return int(self.client.eval(RAISE_FENCE, 1, FENCE, floor))

    def flip(self, found: bytes, new: Pointer) -> bool:
        """Put `new` in the place of `found`; False when the pointer moved meanwhile. StaleWriter when fenced off."""
        outcome, what = self.client.eval(FLIP, 2, POINTER, FENCE, str(new.fence), found, new.encode())
        if outcome == b"claim":
            raise StaleWriter(
                f"{new.version} was to be served under fence {new.fence}, but the fence of {self.address} is "
                f"{what.decode()}: a newer writer took over, or the server was emptied; publish again"
            )
        return bool(outcome == b"flipped")

    def run_ids(self) -> dict[str, str]:
        """Which process answers at each node; a restart or a failover changes it."""
        return {node.name: str(node.client.info("server")["run_id"]) for node in self.nodes()}


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Connect, and translate redis-py's errors while the block runs: StoreUnavailable or StoreRefused."""
    address = redact(settings.redis_url)
    with translated(address):
        store = Store(_connect(settings), address)
        try:
            yield store
        finally:
            store.client.close()


def _connect(settings: Settings) -> Any:
    limits = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": CONNECT_SECONDS}
    try:
        if settings.redis_cluster:
            retry = Retry(NoBackoff(), CLUSTER_RETRIES)
            return RedisCluster.from_url(settings.redis_url, retry=retry, **limits)
        return redis.Redis.from_url(settings.redis_url, retry=Retry(NoBackoff(), 0), **limits)
    except ValueError as error:
        raise BadInput(
            f"HEADRACE_REDIS_URL is {redact(settings.redis_url)!r} ({error}); write redis://, rediss:// or unix://"
        ) from error


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn what redis-py raises into our tree; the address stands in every message."""
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.AuthorizationError) as error:
        raise StoreRefused(
            f"{address} refused the login ({error}); put user and password in HEADRACE_REDIS_URL"
        ) from error
    except (redis.ConnectionError, redis.TimeoutError, redis.exceptions.RedisClusterException) as error:
        raise StoreUnavailable(
            f"{address} was asked and did not answer as Redis does ({error}); start it or correct HEADRACE_REDIS_URL"
        ) from error
    except redis.ResponseError as error:
        raise StoreRefused(f"{address} refused a command ({error}); nothing that served was touched") from error


@contextmanager
def put_off(task: str) -> Iterator[None]:
    """Let work that can wait fail: log it and go on."""
    try:
        yield
    except (redis.RedisError, redis.exceptions.RedisClusterException) as error:
        logger.warning("event=put_off task=%s until=next_publish (%s)", task, error)


def assess(store: Store, needed_bytes: int) -> None:
    """Raise StoreRefused unless every node takes writes, never evicts, and has room for its share of the bytes."""
    for node in store.nodes():
        _assess_node(node.name, node.client.info("all"), int(needed_bytes * node.share))


def _assess_node(name: str, info: Mapping[str, Any], needed_bytes: int) -> None:
    if info["role"] not in ("master", "primary"):
        raise StoreRefused(f"{name} is a replica and takes no writes; point HEADRACE_REDIS_URL at its primary")
    policy = info["maxmemory_policy"]
    if policy != NO_EVICTION:
        raise StoreRefused(
            f"{name} has maxmemory-policy {policy} and would drop lists or the pointer when full; "
            f"set maxmemory-policy {NO_EVICTION}"
        )
    limit = int(info["maxmemory"]) or int(info["total_system_memory"])
    free = int(limit * (1 - RESERVE_SHARE)) - int(info["used_memory"])
    if needed_bytes > free:
        raise StoreRefused(
            f"{name} has room for {max(free, 0):,} bytes ({limit:,} in all, {info['used_memory']:,} used, "
            f"{RESERVE_SHARE:.0%} kept in reserve) and the new version needs some {needed_bytes:,}; raise maxmemory"
        )


def redact(url: str) -> str:
    """A Redis URL without user, password and options."""
    scheme, mark, rest = url.partition("?")[0].partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}" if mark else "a URL without ://"

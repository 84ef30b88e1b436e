"""A Redis Cluster of three real servers on loopback."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS

from headrace import embedded_redis
from headrace.embedded_redis import EmbeddedRedis

NODES, READY_SECONDS = 3, 30.0


@contextmanager
def start_cluster(folder: Path, binary: Path | None = None) -> Iterator[list[EmbeddedRedis]]:
    """Three primaries that share the slots evenly, ready to be written to."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(embedded_redis.start(folder / f"node{place}", binary=binary, options=_options()))
            for place in range(NODES)
        ]
        clients = [stack.enter_context(redis.Redis.from_url(server.url)) for server in servers]
        for place, client in enumerate(clients):
            low, high = (edge * REDIS_CLUSTER_HASH_SLOTS // NODES for edge in (place, place + 1))
            client.execute_command("CLUSTER ADDSLOTSRANGE", low, high - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", place + 1)
        for server in servers[1:]:
            clients[0].execute_command("CLUSTER MEET", embedded_redis.HOST, server.port)
        _await_ready(clients)
        yield servers


def _options() -> tuple[str, ...]:
    return ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")


def _await_ready(clients: list[redis.Redis]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not all(_is_ready(client) for client in clients):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the cluster did not form within {READY_SECONDS} s")
        time.sleep(0.05)


def _is_ready(client: redis.Redis) -> bool:
    info = client.execute_command("CLUSTER INFO")
    text = info if isinstance(info, dict) else dict(line.split(":") for line in info.decode().split())
    return text["cluster_state"] == "ok" and text["cluster_known_nodes"] == str(NODES)

"""On a Redis Cluster, look-ups find the node of a key, follow a slot that moved, and outlive a dead node."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis
from redis.crc import key_slot

from contracts.redis_layout import POINTER
from contracts.settings import Settings
from headrace import embedded_redis
from headrace.embedded_redis import EmbeddedRedis
from serving.api_keys import ADMIN, create_key, keys_file
from tests.serving.conftest import OpenApp
from tests.serving.published import Version
from tests.serving.senders import Sender, event

SLOTS = 16_384
OPTIONS = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "2000")
DEADLINE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Two nodes, each with half of the slots."""

    nodes: tuple[EmbeddedRedis, EmbeddedRedis]
    clients: tuple[redis.Redis, redis.Redis]

    def owner(self, key: str) -> int:
        return int(key_slot(key.encode()) >= SLOTS // 2)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster on which one version is published."""
    with (
        embedded_redis.start(tmp_path / "0", options=OPTIONS) as first,
        embedded_redis.start(tmp_path / "1", options=OPTIONS) as second,
        redis.Redis.from_url(first.url) as one,
        redis.Redis.from_url(second.url) as other,
    ):
        one.execute_command("CLUSTER ADDSLOTSRANGE", 0, SLOTS // 2 - 1)
        other.execute_command("CLUSTER ADDSLOTSRANGE", SLOTS // 2, SLOTS - 1)
        one.execute_command("CLUSTER MEET", "127.0.0.1", second.port)
        until = time.monotonic() + DEADLINE_SECONDS
        while not all("cluster_state:ok" in state(client) for client in (one, other)):
            assert time.monotonic() < until, "the cluster did not form"
            time.sleep(0.05)
        whole = Cluster((first, second), (one, other))
        for key, value in {**Version().values(), POINTER: Version().pointer}.items():
            whole.clients[whole.owner(key)].set(key, value)
        yield whole


def state(client: redis.Redis) -> str:
    """CLUSTER INFO as text."""
    found = client.execute_command("CLUSTER INFO")
    return "".join(f"{name}:{value}\n" for name, value in found.items()) if isinstance(found, dict) else str(found)


def users_of(cluster: Cluster, node: int) -> list[str]:
    """Head users whose keys that node holds."""
    return [
        user for user in ("ada", "josé", "x" * 256, "tilde~ user+1") if cluster.owner(f"{{{quoted(user)}}}") == node
    ]


def quoted(user: str) -> str:
    """The id as a key has it."""
    return user.replace("é", "%C3%A9")


def settings_for(cluster: Cluster, root: Path) -> Settings:
    """Settings of a look-up server that knows the first node."""
    timing = {"redis_timeout_ms": 1_000, "pointer_cache_ms": 1, "breaker_open_ms": 50}
    return Settings(root=root, redis_url=cluster.nodes[0].url, redis_cluster=True, **timing)


def test_every_list_is_found_on_its_node(cluster: Cluster, tmp_path: Path, open_app: OpenApp) -> None:
    client = open_app(settings_for(cluster, tmp_path)).test_client()
    assert users_of(cluster, 0)
    assert users_of(cluster, 1)
    for user in (*users_of(cluster, 0), *users_of(cluster, 1)):
        assert client.get(f"/v1/recommendations/{user}").get_json()["source"] == "head"
    assert client.get("/v1/popular?region=north").get_json()["subject"] == "region/north"
    assert client.get("/v1/items/apple/similar").get_json()["source"] == "similar"
    assert client.get("/metrics").status_code == 200


def test_a_slot_that_moved_is_followed_within_the_request(cluster: Cluster, tmp_path: Path, open_app: OpenApp) -> None:
    client = open_app(settings_for(cluster, tmp_path)).test_client()
    user = users_of(cluster, 0)[0]
    assert client.get(f"/v1/recommendations/{user}").get_json()["source"] == "head"
    move_slot(cluster, key_slot(f"{{{quoted(user)}}}".encode()))
    assert client.get(f"/v1/recommendations/{user}").get_json()["source"] == "head"


def test_events_are_seen_and_items_delisted_on_every_node(cluster: Cluster, tmp_path: Path, open_app: OpenApp) -> None:
    settings = settings_for(cluster, tmp_path)
    with embedded_redis.start(tmp_path / "stream") as stream:
        app = open_app(replace(settings, stream_url=stream.url))
        sender = Sender(app.test_client(), create_key(keys_file(settings), "all", [ADMIN])[0])
        people = [users_of(cluster, node)[0] for node in (0, 1)]
        bought = [event("purchase", "apple", user_id=person) for person in people]
        assert sender.post("/v1/events", bought).get_json()["visible"]
        assert sender.post("/v1/items", [{"item_id": "bread", "available": False}]).get_json()["visible"]
        assert [sender.items(person)[0] for person in people] == ["cheese", "cheese"]
        for person in people:
            answer = sender.client.delete(f"/v1/users/{person}", headers={"X-API-Key": sender.key})
            assert answer.get_json()["visible"]
            assert sender.client.get(f"/v1/recommendations/{person}").get_json()["source"] == "popular"


def test_a_dead_node_costs_only_its_own_lists(cluster: Cluster, tmp_path: Path, open_app: OpenApp) -> None:
    client = open_app(settings_for(cluster, tmp_path)).test_client()
    pointer_node = cluster.owner(POINTER)
    dead, alive = 1 - pointer_node, pointer_node
    cluster.nodes[dead].process.kill()
    for _ in range(5):
        assert client.get(f"/v1/recommendations/{users_of(cluster, dead)[0]}").get_json()["source"] == "fallback"
        assert client.get(f"/v1/recommendations/{users_of(cluster, alive)[0]}").get_json()["source"] == "head"


def move_slot(cluster: Cluster, slot: int) -> None:
    """Move one slot and its keys from the first node to the second."""
    one, other = cluster.clients
    name = other.execute_command("CLUSTER MYID").decode()
    former = one.execute_command("CLUSTER MYID").decode()
    other.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", former)
    one.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", name)
    keys = one.execute_command("CLUSTER GETKEYSINSLOT", slot, 100)
    if keys:
        one.execute_command("MIGRATE", "127.0.0.1", cluster.nodes[1].port, "", 0, 2_000, "KEYS", *keys)
    for client in (other, one):
        client.execute_command("CLUSTER SETSLOT", slot, "NODE", name)

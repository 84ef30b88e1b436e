"""The same publish on a Redis Cluster: keys lie where their slots are, and a slot that moves is followed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.cluster import RedisCluster

from contracts.redis_layout import POINTER, Pointer, list_key, overlay_key, profile_key
from contracts.settings import Settings
from headrace.embedded_redis import EmbeddedRedis
from spark_jobs.publish import SERVED, publish
from spark_jobs.redis_store import open_store
from spark_jobs.redis_writer import PackedWriter
from spark_jobs.version_entries import KINDS, VersionName, entries_of
from spark_jobs.versions import roll_back
from tests.publish_lake import EIGHT, NINE, SEVEN, make_context, ready_hour
from tests.redis_cluster_nodes import start_cluster
from tests.redis_servers import SERVERS

USERS = tuple(f"user-{place}" for place in range(60))


@pytest.fixture(scope="module", params=SERVERS)
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[EmbeddedRedis]]:
    with start_cluster(tmp_path_factory.mktemp("cluster"), request.param) as servers:
        yield servers


@pytest.fixture
def url(nodes: list[EmbeddedRedis]) -> str:
    """Address of one node of an empty cluster."""
    for node in nodes:
        with redis.Redis.from_url(node.url) as client:
            client.flushall()
    return nodes[0].url.removesuffix("/0")


def test_a_version_is_spread_over_the_nodes_and_read_back(tmp_path: Path, url: str, nodes: list[EmbeddedRedis]) -> None:
    for hour in (SEVEN, EIGHT, NINE):
        ready_hour(tmp_path, hour, users=USERS)
        figures = publish(make_context(tmp_path, hour, redis_url=url, redis_cluster=True)).figures
        assert figures["outcome"] == SERVED
    with RedisCluster.from_url(url) as client:
        pointer = Pointer.decode(client.get(POINTER))
        assert (pointer.version, pointer.previous) == (f"{NINE}.3", f"{EIGHT}.2")
        for kind in KINDS:
            name = VersionName(pointer.version, pointer.generated_at)
            for key, value in entries_of(kind, tmp_path / "lake", interval_key=NINE, name=name):
                assert client.get(key) == value
        together = [list_key(pointer.version, "user-7"), overlay_key("user-7"), profile_key(pointer.version, "user-7")]
        assert [value is None for value in client.mget(together)] == [False, True, False]
    left = [redis.Redis.from_url(node.url).keys("*2026*") for node in nodes]
    assert all(left)
    assert {key.decode().split(":")[2] for keys in left for key in keys} == {pointer.version, pointer.previous}


def test_a_rollback_flips_on_a_cluster_too(tmp_path: Path, url: str) -> None:
    for hour in (SEVEN, EIGHT):
        ready_hour(tmp_path, hour)
        publish(make_context(tmp_path, hour, redis_url=url, redis_cluster=True))
    assert roll_back(Settings(root=tmp_path, redis_url=url, redis_cluster=True)).version == f"{SEVEN}.1"


def test_a_slot_that_moves_while_written_is_followed(url: str, nodes: list[EmbeddedRedis]) -> None:
    key = "headrace:list:v:{moving}"
    with open_store(Settings(redis_url=url, redis_cluster=True)) as store, PackedWriter(store) as writer:
        slot = store.client.keyslot(key)
        clients = [redis.Redis.from_url(node.url) for node in nodes]
        ids = [client.execute_command("CLUSTER MYID").decode() for client in clients]
        owner = next(place for place, node in enumerate(nodes) if store.node_name(key).endswith(str(node.port)))
        taker = (owner + 1) % len(nodes)
        try:
            for client in (clients[taker], *clients):
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[taker])
            writer.write([(key, b"bytes"), ("headrace:list:v:{resting}", b"rest")], 60)
            assert clients[taker].get(key) == b"bytes"
            writer.unlink([key])
            assert clients[taker].get(key) is None
        finally:
            for client in (clients[owner], *clients):
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[owner])

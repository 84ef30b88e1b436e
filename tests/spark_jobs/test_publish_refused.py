"""Whatever makes a publish unsafe stops it with a sentence, and what served goes on serving."""

from pathlib import Path

import pytest
import redis

from contracts.errors import (
    CorruptData,
    GateRefused,
    MissingInput,
    StaleWriter,
    StoreRefused,
)
from contracts.lake import LISTS
from contracts.redis_layout import POINTER, Pointer, list_key
from headrace import embedded_redis
from headrace.embedded_redis import EmbeddedRedis
from spark_jobs.fences import claim_fence
from spark_jobs.publish import publish
from spark_jobs.redis_store import open_store
from tests.publish_lake import EIGHT, SEVEN, USERS, make_context, ready_hour, write_hour


@pytest.fixture
def client(redis_server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(redis_server.url)


def pointer(client: redis.Redis) -> Pointer:
    return Pointer.decode(client.get(POINTER))


def versions_in(client: redis.Redis) -> set[str]:
    """Versions that have any key; tests may look at all keys, the product never does."""
    return {key.decode().split(":")[2] for key in client.keys("headrace:*:2026*")}


def serve(root: Path, url: str, interval_key: str, **options: bool) -> dict[str, float | int | str]:
    ready_hour(root, interval_key)
    return publish(make_context(root, interval_key, redis_url=url), **options).figures


def test_an_hour_without_a_check_is_not_published(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    write_hour(tmp_path, SEVEN)
    with pytest.raises(MissingInput, match="checks"):
        publish(make_context(tmp_path, SEVEN, redis_url=redis_server.url))
    assert not client.keys()


def test_lists_that_changed_after_their_check_are_refused(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    ready_hour(tmp_path, SEVEN)
    write_hour(tmp_path, SEVEN, users=("ann",))
    with pytest.raises(GateRefused, match="lists"):
        publish(make_context(tmp_path, SEVEN, redis_url=redis_server.url))
    assert not client.keys()


def test_a_server_that_would_evict_is_refused_before_the_first_write(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(StoreRefused, match="noeviction"):
        serve(tmp_path, redis_server.url, SEVEN)
    assert not client.keys()


def test_a_server_without_room_is_refused_and_what_serves_stays(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    serve(tmp_path, redis_server.url, SEVEN)
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 1_000)
    with pytest.raises(StoreRefused, match="raise maxmemory"):
        serve(tmp_path, redis_server.url, EIGHT)
    assert versions_in(client) == {pointer(client).version} == {f"{SEVEN}.1"}


def test_a_server_that_fills_up_meanwhile_keeps_what_serves(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    serve(tmp_path, redis_server.url, SEVEN)
    ready_hour(tmp_path, EIGHT)

    def fill(step: str) -> None:
        if step == "wrote similar":
            client.config_set("maxmemory", 1)

    with pytest.raises(StoreRefused, match="maxmemory"):
        publish(make_context(tmp_path, EIGHT, redis_url=redis_server.url), on_step=fill)
    assert versions_in(client) == {pointer(client).version} == {f"{SEVEN}.1"}


def test_a_key_that_reads_back_otherwise_stops_the_version(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    ready_hour(tmp_path, SEVEN)

    def tamper(step: str) -> None:
        if step == f"wrote {LISTS.name}":
            client.set(list_key(f"{SEVEN}.1", USERS[0]), "something else")

    with pytest.raises(StoreRefused, match="reads back otherwise"):
        publish(make_context(tmp_path, SEVEN, redis_url=redis_server.url), on_step=tamper)
    assert client.get(POINTER) is None
    assert not versions_in(client)


@pytest.mark.parametrize("when", ["wrote lists", "verified"])
def test_a_server_emptied_meanwhile_never_gets_a_pointer(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis, when: str
) -> None:
    ready_hour(tmp_path, SEVEN)

    def empty(step: str) -> None:
        if step == when:
            client.flushall()

    with pytest.raises((StoreRefused, StaleWriter), match="publish again"):
        publish(make_context(tmp_path, SEVEN, redis_url=redis_server.url), on_step=empty)
    assert client.get(POINTER) is None


def test_a_server_restarted_meanwhile_never_gets_a_pointer(tmp_path: Path, own_redis_server: EmbeddedRedis) -> None:
    ready_hour(tmp_path, SEVEN)
    again: list[EmbeddedRedis] = []

    def restart(step: str) -> None:
        if step == "wrote lists":
            with redis.Redis.from_url(own_redis_server.url) as client:
                client.shutdown(save=True)
            own_redis_server.process.wait(10)
            again.append(embedded_redis.start(own_redis_server.folder, own_redis_server.port))

    try:
        with pytest.raises(StoreRefused, match="restarted or failed over"):
            publish(make_context(tmp_path, SEVEN, redis_url=own_redis_server.url), on_step=restart)
    finally:
        again[0].stop()


def test_a_claim_alone_fences_off_whoever_claimed_before(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    ready_hour(tmp_path, SEVEN)
    context = make_context(tmp_path, SEVEN, redis_url=redis_server.url)

    def overtake(step: str) -> None:
        if step == "verified":
            with open_store(context.settings) as store:
                claim_fence(context.lake, store, SEVEN)

    with pytest.raises(StaleWriter, match="publish again"):
        publish(context, on_step=overtake)
    assert client.get(POINTER) is None


def test_the_flip_moves_no_pointer_but_the_one_looked_at(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    with open_store(make_context(tmp_path, SEVEN, redis_url=redis_server.url).settings) as store:
        claim = claim_fence(tmp_path / "lake", store, SEVEN)
        new = Pointer(claim.version, claim.fence, SEVEN, "2026-01-31T08:00:00Z")
        client.set(POINTER, "put by somebody else")
        assert not store.flip(b"", new)
        assert client.get(POINTER) == b"put by somebody else"
        assert store.flip(b"put by somebody else", new)
    assert pointer(client) == new


def test_a_pointer_that_is_none_stops_all_but_a_republish(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    client.set(POINTER, "rubbish")
    with pytest.raises(CorruptData, match="republish"):
        serve(tmp_path, redis_server.url, SEVEN)
    serve(tmp_path, redis_server.url, SEVEN, republish=True)
    assert pointer(client).interval == SEVEN

"""An hour is published whole: keys, values, life, pointer, and nothing of what stopped serving."""

import json
from pathlib import Path

import pytest
import redis

from contracts.answers import AnswerHead, encode_answer
from contracts.errors import (
    BadInput,
    StoreRefused,
    StoreUnavailable,
)
from contracts.lake import OVERALL
from contracts.redis_layout import FENCE, POINTER, Pointer, list_key, popular_key, profile_key, similar_key
from headrace.embedded_redis import EmbeddedRedis
from spark_jobs.fences import highest_fence
from spark_jobs.publish import LEFT_ALONE, SERVED, main, publish
from tests.publish_lake import EIGHT, NINE, SEVEN, make_context, ready_hour

HOUR = ["--interval-start", "2026-01-31T07:00:00Z", "--interval-end", "2026-01-31T08:00:00Z"]


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


def test_every_kind_of_key_holds_the_answer_bytes(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    serve(tmp_path, redis_server.url, SEVEN)
    version, made = f"{SEVEN}.1", "2026-01-31T08:00:00Z"
    head = AnswerHead("bob", "head", "chosen for you this hour", version, made)
    expected = encode_answer(head, ["bread", "cheese", "apple"], [2.5, 1.5, 0.5])
    assert client.get(list_key(version, "bob")) == expected
    assert json.loads(client.get(list_key(version, "dörte/ü")))["subject"] == "dörte/ü"
    assert json.loads(client.get(popular_key(version, OVERALL, "")))["subject"] == OVERALL
    assert json.loads(client.get(popular_key(version, "region", "north")))["subject"] == "region/north"
    assert json.loads(client.get(similar_key(version, "bread")))["items"][1]["item_id"] == "cheese"
    assert json.loads(client.get(profile_key(version, "tail-user"))) == {"segment": "high-new", "region": "north"}
    assert pointer(client) == Pointer(version, 1, SEVEN, made)


def test_every_key_but_pointer_and_fence_has_a_life(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    serve(tmp_path, redis_server.url, SEVEN)
    lives = {key: client.ttl(key) for key in set(client.keys())}
    assert {key.decode() for key, life in lives.items() if life < 0} == {POINTER, FENCE}
    assert all(259_100 < life <= 259_200 for life in lives.values() if life > 0)


def test_the_version_before_is_kept_and_older_ones_go(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    for hour in (SEVEN, EIGHT, NINE):
        serve(tmp_path, redis_server.url, hour)
    assert versions_in(client) == {f"{EIGHT}.2", f"{NINE}.3"}
    assert (pointer(client).version, pointer(client).previous) == (f"{NINE}.3", f"{EIGHT}.2")


def test_an_older_hour_leaves_the_pointer_and_the_store_alone(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    serve(tmp_path, redis_server.url, NINE)
    keys = set(client.keys())
    assert serve(tmp_path, redis_server.url, SEVEN)["outcome"] == LEFT_ALONE
    assert pointer(client).version == f"{NINE}.1"
    assert set(client.keys()) == keys


def test_an_older_hour_serves_when_asked_for(tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis) -> None:
    serve(tmp_path, redis_server.url, NINE)
    assert serve(tmp_path, redis_server.url, SEVEN, republish=True)["outcome"] == SERVED
    assert (pointer(client).interval, pointer(client).previous_interval) == (SEVEN, NINE)


def test_the_same_hour_again_gets_a_version_of_its_own(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    serve(tmp_path, redis_server.url, SEVEN)
    serve(tmp_path, redis_server.url, SEVEN)
    assert (pointer(client).version, pointer(client).previous) == (f"{SEVEN}.2", f"{SEVEN}.1")


def test_a_rebuilt_server_does_not_start_at_one(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    for hour in (SEVEN, EIGHT, NINE):
        serve(tmp_path, redis_server.url, hour)
    client.flushall()
    assert serve(tmp_path, redis_server.url, NINE)["fence"] == 4
    assert highest_fence(tmp_path / "lake") == 4


def test_a_unix_socket_and_a_password_work(tmp_path: Path, own_redis_server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(own_redis_server.url) as open_client:
        open_client.config_set("requirepass", "p w/1")
    with pytest.raises(StoreRefused, match="HEADRACE_REDIS_URL"):
        serve(tmp_path, own_redis_server.url, SEVEN)
    url = f"redis://:p%20w%2F1@127.0.0.1:{own_redis_server.port}/0"
    assert serve(tmp_path, url, SEVEN)["outcome"] == SERVED
    with pytest.raises(StoreRefused) as refused:
        serve(tmp_path, url.replace("w", "x"), SEVEN)
    assert "x%2F1" not in str(refused.value)


def test_no_server_and_no_url_are_told_apart(tmp_path: Path, short_folder: Path) -> None:
    with pytest.raises(StoreUnavailable, match="start it"):
        serve(tmp_path, f"unix://{short_folder}/none.sock", SEVEN)
    with pytest.raises(BadInput, match="unix://"):
        serve(tmp_path, "http://127.0.0.1:1", SEVEN)


def test_the_command_line_publishes_and_republishes(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_REDIS_URL", redis_server.url)
    serve(tmp_path, redis_server.url, EIGHT)
    ready_hour(tmp_path, SEVEN)
    main([*HOUR, "--root", str(tmp_path)])
    assert pointer(client).interval == EIGHT
    main([*HOUR, "--root", str(tmp_path), "--republish"])
    assert pointer(client).interval == SEVEN

"""Whoever dies while publishing, and whoever races: readers see the old version whole or the new one whole."""

import signal
import threading
from pathlib import Path

import pytest
import redis

from contracts.errors import StaleWriter, StoreRefused
from contracts.redis_layout import POINTER, Pointer
from headrace.embedded_redis import EmbeddedRedis
from spark_jobs.publish import LEFT_ALONE, SERVED, publish
from spark_jobs.version_entries import KINDS, VersionName, entries_of
from tests.publish_and_die import kill_at
from tests.publish_lake import EIGHT, NINE, SEVEN, make_context, ready_hour

BEFORE_THE_FLIP = [
    ("claimed", 1), ("swept", 1), ("writing popular", 2), ("wrote popular", 1), ("writing segments", 3),
    ("writing lists", 2), ("wrote lists", 1), ("verified", 1),
]  # fmt: skip
AFTER_THE_FLIP = [("flipped", 1), ("removed", 1)]


@pytest.fixture
def client(redis_server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(redis_server.url)


def assert_served_whole(root: Path, client: redis.Redis, interval_key: str) -> None:
    """Every key of the served version is there with its bytes."""
    pointer = Pointer.decode(client.get(POINTER))
    assert pointer.interval == interval_key
    name = VersionName(pointer.version, pointer.generated_at)
    for kind in KINDS:
        for key, value in entries_of(kind, root / "lake", interval_key=interval_key, name=name):
            assert client.get(key) == value


def versions_in(client: redis.Redis) -> set[str]:
    return {key.decode().split(":")[2] for key in client.keys("headrace:*:2026*")}


@pytest.mark.parametrize(("step", "count"), [*BEFORE_THE_FLIP, *AFTER_THE_FLIP])
def test_killed_at_any_step_leaves_a_whole_version_and_the_next_hour_cleans_up(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis, step: str, count: int
) -> None:
    for hour in (SEVEN, EIGHT, NINE):
        ready_hour(tmp_path, hour)
    publish(make_context(tmp_path, SEVEN, redis_url=redis_server.url))
    assert kill_at(tmp_path, redis_server.url, hour=EIGHT, step=step, count=count) == -signal.SIGKILL
    served = SEVEN if (step, count) in BEFORE_THE_FLIP else EIGHT
    assert_served_whole(tmp_path, client, served)
    publish(make_context(tmp_path, NINE, redis_url=redis_server.url))
    assert_served_whole(tmp_path, client, NINE)
    pointer = Pointer.decode(client.get(POINTER))
    assert pointer.previous_interval == served
    assert versions_in(client) == {pointer.version, pointer.previous}


def test_killed_on_the_first_publish_leaves_no_pointer(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    ready_hour(tmp_path, SEVEN)
    assert kill_at(tmp_path, redis_server.url, hour=SEVEN, step="verified") == -signal.SIGKILL
    assert client.get(POINTER) is None


@pytest.mark.parametrize("late_step", ["claimed", "writing lists", "wrote lists", "verified"])
def test_a_second_publisher_fences_off_the_first(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis, late_step: str
) -> None:
    ready_hour(tmp_path, EIGHT)
    ready_hour(tmp_path, NINE)
    done: list[str] = []

    def overtaken(step: str) -> None:
        if step == late_step and not done:
            done.append(step)
            publish(make_context(tmp_path, EIGHT, redis_url=redis_server.url))

    with pytest.raises((StaleWriter, StoreRefused), match="publish again"):
        publish(make_context(tmp_path, NINE, redis_url=redis_server.url), on_step=overtaken)
    assert_served_whole(tmp_path, client, EIGHT)
    assert publish(make_context(tmp_path, NINE, redis_url=redis_server.url)).figures["outcome"] == SERVED
    assert_served_whole(tmp_path, client, NINE)


def test_an_older_hour_overtaken_by_a_newer_one_gives_way_quietly(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    ready_hour(tmp_path, EIGHT)
    ready_hour(tmp_path, NINE)

    def overtaken(step: str) -> None:
        if step == "verified":
            publish(make_context(tmp_path, NINE, redis_url=redis_server.url))

    manifest = publish(make_context(tmp_path, EIGHT, redis_url=redis_server.url), on_step=overtaken)
    assert manifest.figures["outcome"] == LEFT_ALONE
    assert_served_whole(tmp_path, client, NINE)
    assert versions_in(client) == {Pointer.decode(client.get(POINTER)).version}


def test_many_publishers_at_once_leave_one_whole_version(
    tmp_path: Path, redis_server: EmbeddedRedis, client: redis.Redis
) -> None:
    hours = (SEVEN, EIGHT, NINE)
    for hour in hours:
        ready_hour(tmp_path, hour)
    start = threading.Barrier(len(hours))

    def race(hour: str) -> None:
        start.wait()
        for _ in range(5):
            try:
                publish(make_context(tmp_path, hour, redis_url=redis_server.url))
            except (StaleWriter, StoreRefused):
                continue

    racers = [threading.Thread(target=race, args=(hour,)) for hour in hours]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert_served_whole(tmp_path, client, Pointer.decode(client.get(POINTER)).interval)

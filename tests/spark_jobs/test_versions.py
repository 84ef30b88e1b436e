"""What serves and what served is listed, and one call goes back to it under a new fence."""

from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from contracts.errors import MissingInput
from contracts.redis_layout import POINTER, Pointer
from contracts.settings import Settings
from headrace.__main__ import app
from headrace.embedded_redis import EmbeddedRedis
from spark_jobs.publish import publish
from spark_jobs.refill import refill
from spark_jobs.versions import PREVIOUS, SERVING, list_versions, roll_back
from tests.publish_lake import EIGHT, NINE, SEVEN, make_context, ready_hour


@pytest.fixture
def client(redis_server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(redis_server.url)


@pytest.fixture
def settings(tmp_path: Path, redis_server: EmbeddedRedis) -> Settings:
    return Settings(root=tmp_path, redis_url=redis_server.url)


def serve(settings: Settings, interval_key: str) -> None:
    ready_hour(settings.root, interval_key)
    publish(make_context(settings.root, interval_key, redis_url=settings.redis_url))


def test_nothing_published_is_an_empty_list(settings: Settings) -> None:
    assert list_versions(settings) == []


def test_serving_and_previous_come_first_with_their_figures(settings: Settings) -> None:
    for hour in (SEVEN, EIGHT, NINE):
        serve(settings, hour)
    rows = list_versions(settings)
    assert [(row.version, row.role) for row in rows] == [
        (f"{NINE}.3", SERVING),
        (f"{EIGHT}.2", PREVIOUS),
        (f"{SEVEN}.1", "served"),
    ]
    assert [row.figures["users"] for row in rows] == [4, 4, 4]
    assert rows[0].generated_at == "2026-01-31T10:00:00Z"


def test_a_rollback_serves_the_version_before_under_a_new_fence(settings: Settings, client: redis.Redis) -> None:
    serve(settings, SEVEN)
    serve(settings, EIGHT)
    assert roll_back(settings) == Pointer.decode(client.get(POINTER))
    back = Pointer.decode(client.get(POINTER))
    assert (back.version, back.interval, back.generated_at) == (f"{SEVEN}.1", SEVEN, "2026-01-31T08:00:00Z")
    assert (back.fence, back.previous) == (3, f"{EIGHT}.2")


def test_an_emptied_store_is_filled_with_the_hour_that_served_last(settings: Settings, client: redis.Redis) -> None:
    serve(settings, SEVEN)
    serve(settings, EIGHT)
    client.flushall()
    filled = refill(settings)
    pointer = Pointer.decode(client.get(POINTER))
    assert filled is not None and (pointer.version, pointer.interval, pointer.fence) == (f"{EIGHT}.3", EIGHT, 3)
    assert refill(settings) is None


def test_nothing_can_be_filled_in_before_the_first_hour(settings: Settings) -> None:
    with pytest.raises(MissingInput, match="no hour was published yet"):
        refill(settings)


def test_a_rollback_can_be_taken_back(settings: Settings) -> None:
    serve(settings, SEVEN)
    serve(settings, EIGHT)
    roll_back(settings)
    assert roll_back(settings).version == f"{EIGHT}.2"


def test_the_hour_after_a_rollback_serves_and_keeps_the_good_one(settings: Settings, client: redis.Redis) -> None:
    serve(settings, SEVEN)
    serve(settings, EIGHT)
    roll_back(settings)
    serve(settings, NINE)
    pointer = Pointer.decode(client.get(POINTER))
    assert (pointer.version, pointer.previous) == (f"{NINE}.4", f"{SEVEN}.1")
    assert not client.keys(f"headrace:*:{EIGHT}.2:*")


def test_without_a_version_before_there_is_no_way_back(settings: Settings) -> None:
    with pytest.raises(MissingInput, match="no previous version"):
        roll_back(settings)
    serve(settings, SEVEN)
    with pytest.raises(MissingInput, match="no previous version"):
        roll_back(settings)


def test_a_version_whose_keys_expired_is_not_served_again(settings: Settings, client: redis.Redis) -> None:
    serve(settings, SEVEN)
    serve(settings, EIGHT)
    client.delete(*client.keys(f"headrace:*:{SEVEN}.1:*"))
    with pytest.raises(MissingInput, match="expired"):
        roll_back(settings)
    assert Pointer.decode(client.get(POINTER)).version == f"{EIGHT}.2"


def test_the_commands_print_versions_and_roll_back(settings: Settings) -> None:
    serve(settings, SEVEN)
    serve(settings, EIGHT)
    environ = {"HEADRACE_ROOT": str(settings.root), "HEADRACE_REDIS_URL": settings.redis_url}
    listed = CliRunner().invoke(app, ["versions"], env=environ)
    assert (listed.exit_code, f"{EIGHT}.2" in listed.output, PREVIOUS in listed.output) == (0, True, True)
    turned = CliRunner().invoke(app, ["rollback"], env=environ)
    assert f"{SEVEN}.1 serves again" in turned.output

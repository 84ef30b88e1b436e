"""Each rung of the ladder answers when the rungs above have nothing, and says that it did."""

import json
import time
from dataclasses import replace

import pytest
import redis
from flask import Flask

from contracts.lake import BY_SEGMENT, OVERALL
from contracts.redis_layout import DELISTED_MARK, list_key, overlay_key, person_keys, popular_key, profile_key
from contracts.settings import Settings
from headrace.embedded_redis import EmbeddedRedis
from serving.decision import NO_OWN_LIST, NOTHING_KNOWN
from serving.on_demand import WHY_NOT
from serving.tail_client import UNREACHABLE
from tests.serving.conftest import OpenApp
from tests.serving.published import ITEMS, REGIONS, Version, publish

AWAY = WHY_NOT[UNREACHABLE]


@pytest.mark.parametrize(
    ("path", "source", "subject", "why"),
    [
        ("ada", "head", "ada", "the stored reason of head"),
        ("known", "fallback", "segment/regulars", f"{NO_OWN_LIST}; {AWAY}; popular in the segment"),
        ("regional", "fallback", f"region/{REGIONS[1]}", f"{NO_OWN_LIST}; {AWAY}; popular in the region"),
        ("nobody", "popular", "overall", f"{NOTHING_KNOWN}; popular overall"),
        ("nobody?region=north", "popular", "region/north", "popular in the region"),
        ("regional?region=north", "fallback", "region/north", "popular in the region"),
        ("nobody?region=atlantis", "popular", "overall", "popular overall"),
        ("ada?placement=email", "popular", "segment/regulars", "this place does not use a person's own list"),
        ("ada?placement=search", "popular", "overall", "this place does not use a person's own list"),
        ("ada?placement=search&region=north", "popular", "region/north", "popular in the region"),
    ],
)
def test_the_rung_and_its_reason(app: Flask, path: str, source: str, subject: str, why: str) -> None:
    answer = app.test_client().get(f"/v1/recommendations/{path}").get_json()
    assert (answer["source"], answer["subject"]) == (source, subject)
    assert why in answer["reason"]
    assert answer["version"] == Version().name


def test_a_cart_may_not_use_the_segment(app: Flask) -> None:
    answer = app.test_client().get("/v1/recommendations/known?placement=cart").get_json()
    assert answer["subject"] == "overall"


@pytest.mark.parametrize(("query", "count"), [("", 5), ("limit=2", 2), ("limit=400", 5)])
@pytest.mark.parametrize("path", ["recommendations/ada", "recommendations/nobody", "popular", "items/apple/similar"])
def test_a_limit_keeps_the_best(app: Flask, path: str, query: str, count: int) -> None:
    answer = app.test_client().get(f"/v1/{path}?{query}").get_json()
    assert [item["item_id"] for item in answer["items"]] == list(ITEMS[:count])
    assert answer["items"][1]["score"] == 0.5


@pytest.mark.parametrize(
    ("path", "source", "subject", "why"),
    [
        ("items/apple/similar", "similar", "apple", "the stored reason of similar"),
        ("items/bread/similar", "popular", "overall", "no similar items are stored for this item; popular overall"),
        ("popular", "popular", "overall", "popular overall"),
        ("popular?region=north", "popular", "region/north", "popular in the region"),
        ("popular?category=dairy", "popular", "category/dairy", "popular in the category"),
        ("popular?category=toys", "popular", "overall", "no list is stored for what was asked; popular overall"),
    ],
)
def test_lists_that_are_not_personal(app: Flask, path: str, source: str, subject: str, why: str) -> None:
    answer = app.test_client().get(f"/v1/{path}").get_json()
    assert (answer["source"], answer["subject"]) == (source, subject)
    assert why in answer["reason"]


def test_a_stored_list_that_is_damaged_is_passed_over(app: Flask, lists: redis.Redis) -> None:
    lists.set(list_key(Version().name, "ada"), b'{"items":')
    answer = app.test_client().get("/v1/recommendations/ada?limit=3").get_json()
    assert (answer["source"], len(answer["items"])) == ("fallback", 3)


@pytest.mark.parametrize("profile", [b"{", b"[]", b'{"segment":null}', b'{"segment":"gone"}'])
def test_a_strange_profile_is_an_unknown_person(app: Flask, lists: redis.Redis, profile: bytes) -> None:
    lists.set(profile_key(Version().name, "odd"), profile)
    assert app.test_client().get("/v1/recommendations/odd").get_json()["subject"] == "overall"


def test_a_flipped_pointer_is_followed(settings: Settings, lists: redis.Redis, open_app: OpenApp) -> None:
    client = open_app(replace(settings, pointer_cache_ms=1)).test_client()
    assert client.get("/v1/recommendations/ada").get_json()["version"] == Version().name
    second = publish(lists, Version(fence=2, turn=1))
    time.sleep(0.01)
    assert client.get("/v1/recommendations/ada").get_json()["version"] == second.name
    until = time.monotonic() + 10  # popular lists follow in a thread of their own
    while client.get("/v1/popular").get_json()["version"] != second.name:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_pointer_is_trusted_as_long_as_the_setting_says(
    settings: Settings, lists: redis.Redis, open_app: OpenApp
) -> None:
    client = open_app(replace(settings, pointer_cache_ms=600_000)).test_client()
    client.get("/v1/recommendations/ada")
    publish(lists, Version(fence=2))
    assert client.get("/v1/recommendations/ada").get_json()["version"] == Version().name


def test_a_place_that_is_not_personal_reads_no_key_of_a_person(app: Flask, redis_server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as watcher, watcher.monitor() as monitor:
        app.test_client().get("/v1/recommendations/ada?placement=search")
        app.test_client().get("/v1/recommendations/ada?placement=home&limit=1")
        watcher.ping()
        commands = []
        while not commands or commands[-1] != "PING":
            commands.append(monitor.next_command()["command"])
    touching = [command for command in commands if "{ada}" in command]
    assert touching == [" ".join(["MGET", *person_keys(Version().name, "ada"), DELISTED_MARK])]


def test_a_place_without_the_field_list_does_not_read_it(app: Flask, redis_server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as watcher, watcher.monitor() as monitor:
        app.test_client().get("/v1/recommendations/ada?placement=email")
        command = monitor.next_command()["command"]
    assert command == " ".join(["MGET", *person_keys(Version().name, "ada")[1:], DELISTED_MARK])


def test_the_keys_of_a_person_are_those_of_their_builders() -> None:
    for user in ("ada", "a{b}", "josé", "x y"):
        assert person_keys("v", user) == (list_key("v", user), overlay_key(user), profile_key("v", user))


def test_a_list_is_refilled_only_with_what_is_published(app: Flask, lists: redis.Redis) -> None:
    lists.delete(popular_key(Version().name, BY_SEGMENT, "regulars"))
    assert app.test_client().get("/v1/recommendations/known").get_json()["subject"] == "region/north"


def test_the_list_on_disk_is_the_popular_one(app: Flask, settings: Settings) -> None:
    document = json.loads((settings.root / "cache" / "serving" / "popular.json").read_text())
    assert document["version"] == Version().name
    assert [row["scope"] for row in document["lists"]] == [OVERALL]

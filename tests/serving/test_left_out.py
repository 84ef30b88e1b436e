"""What was bought, dismissed, delisted or forgotten is in no answer, and lists are filled up from their own rest."""

import json
import time
from collections.abc import Sequence

import pytest
import redis
from flask import Flask

from contracts.redis_layout import DELISTED_MARK, overlay_key, similar_key
from ingest.delisting import delist
from ingest.redis_client import RedisClient
from ingest.redis_endpoint import parse_endpoint
from serving.app import services_of
from serving.left_out import DELISTED_REASON, GONE_REASON
from tests.serving.published import ITEMS, Version

FAR_MS = 9_999_999_999_999
STRANGE_EVENT = b'1{"seq":1,"events":[["e","view","apple","now",null]],"gone":{}}'


def overlay(gone: Sequence[str] = (), forgotten_ms: int = 0) -> bytes:
    body = {"seq": 3, "events": [], "gone": dict.fromkeys(gone, FAR_MS), "forgotten": forgotten_ms}
    return b"1" + json.dumps(body, separators=(",", ":")).encode()


def items_of(app: Flask, path: str) -> list[str]:
    return [row["item_id"] for row in app.test_client().get(path).get_json()["items"]]


def set_delisted(app: Flask, gone: Sequence[str], back: Sequence[str] = ()) -> None:
    client = RedisClient(parse_endpoint(services_of(app).settings.redis_url))
    delist(client, gone, back, time.monotonic() + 5)
    client.close()


def test_a_bought_item_is_left_out_and_the_rest_moves_up(app: Flask, lists: redis.Redis) -> None:
    lists.set(overlay_key("ada"), overlay(["apple"]))
    before = json.loads(Version().answer("ada", "head"))
    after = app.test_client().get("/v1/recommendations/ada?limit=3").get_json()
    assert [row["item_id"] for row in after["items"]] == list(ITEMS[1:4])
    assert (after["source"], after["recommendation_id"]) == ("head", before["recommendation_id"])
    assert after["reason"] == f"{before['reason']}; {GONE_REASON}"


def test_an_overlay_without_the_items_of_the_list_changes_no_byte(app: Flask, lists: redis.Redis) -> None:
    lists.set(overlay_key("ada"), overlay(["zebra"]))
    assert app.test_client().get("/v1/recommendations/ada").data == Version().answer("ada", "head")


def test_whoever_bought_the_whole_list_gets_another_rung(app: Flask, lists: redis.Redis) -> None:
    lists.set(overlay_key("ada"), overlay(ITEMS))
    answer = app.test_client().get("/v1/recommendations/ada").get_json()
    assert (answer["source"], answer["items"]) == ("fallback", [])


def test_popular_lists_leave_bought_items_out_for_that_person_only(app: Flask, lists: redis.Redis) -> None:
    lists.set(overlay_key("known"), overlay(["bread"]))
    assert "bread" not in items_of(app, "/v1/recommendations/known")
    assert "bread" in items_of(app, "/v1/recommendations/nobody")
    assert "bread" in items_of(app, "/v1/popular")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/recommendations/ada",
        "/v1/recommendations/ada?limit=3",
        "/v1/recommendations/ada?placement=search",
        "/v1/recommendations/known",
        "/v1/recommendations/nobody",
        "/v1/items/apple/similar",
        "/v1/items/bread/similar",
        "/v1/popular",
        "/v1/popular?region=north",
    ],
)
def test_a_delisted_item_is_gone_from_every_answer_at_once_and_may_come_back(app: Flask, path: str) -> None:
    before = items_of(app, path)
    assert "bread" in before
    set_delisted(app, ["bread", "none"])
    answer = app.test_client().get(path).get_json()
    assert [row["item_id"] for row in answer["items"]] == [item for item in ITEMS if item != "bread"][: len(before)]
    assert DELISTED_REASON in answer["reason"]
    set_delisted(app, [], ["bread"])
    assert items_of(app, path) == before


def test_an_unchanged_set_is_not_read_again(app: Flask, lists: redis.Redis) -> None:
    set_delisted(app, ["bread"])
    items_of(app, "/v1/recommendations/ada")
    read = lists.info("commandstats")["cmdstat_smembers"]["calls"]
    set_delisted(app, ["bread"])
    for _ in range(5):
        items_of(app, "/v1/recommendations/ada")
    assert lists.info("commandstats")["cmdstat_smembers"]["calls"] == read


def test_a_store_that_was_lost_has_nothing_delisted(app: Flask, lists: redis.Redis) -> None:
    set_delisted(app, ["bread"])
    assert "bread" not in items_of(app, "/v1/recommendations/ada")
    lists.delete(DELISTED_MARK)
    assert "bread" in items_of(app, "/v1/recommendations/ada")


def test_an_id_with_an_escape_is_found_in_stored_bytes(app: Flask, lists: redis.Redis) -> None:
    quoted = 'a "b"\\'
    raw = Version().answer("apple", "similar").replace(b'"bread"', json.dumps(quoted).encode())
    lists.set(similar_key(Version().name, "apple"), raw)
    lists.set(overlay_key("none"), b"")
    set_delisted(app, [quoted])
    assert quoted not in items_of(app, "/v1/items/apple/similar")


def test_lists_from_before_the_forgetting_are_ignored_and_later_ones_serve(app: Flask, lists: redis.Redis) -> None:
    generated_ms = int(services_of(app).store.pin(0.0).generated_epoch * 1_000)
    lists.set(overlay_key("ada"), overlay(forgotten_ms=generated_ms))
    assert app.test_client().get("/v1/recommendations/ada").get_json()["subject"] == "overall"
    lists.set(overlay_key("ada"), overlay(forgotten_ms=generated_ms - 1))
    assert app.test_client().get("/v1/recommendations/ada").get_json()["source"] == "head"


@pytest.mark.parametrize("raw", [b"1", b"rubbish", b'1{"seq":[],"events":1}', b"0{}", STRANGE_EVENT])
def test_a_damaged_overlay_is_as_good_as_none(raw: bytes, app: Flask, lists: redis.Redis) -> None:
    lists.set(overlay_key("ada"), raw)
    assert app.test_client().get("/v1/recommendations/ada").data == Version().answer("ada", "head")

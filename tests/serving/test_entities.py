"""Items and people are set whole, delisted at once, and forgotten at once."""

import time
from typing import Any

import pytest
import redis
from flask import Flask
from werkzeug.test import TestResponse

from contracts.entity_contract import decode_item, decode_tombstone, decode_user
from contracts.records import ITEM, TOMBSTONE, USER
from contracts.redis_layout import list_key, profile_key
from contracts.settings import Settings
from tests.serving.published import ITEMS, Version
from tests.serving.senders import Keys, Sender, event
from tests.serving.test_events import stored


def put(office: Sender, path: str, document: Any) -> TestResponse:
    return office.client.put(path, json=document, headers={"X-API-Key": office.key})


def test_a_delisted_item_is_gone_from_the_next_answer_and_comes_back(office: Sender, settings: Settings) -> None:
    answer = put(office, "/v1/items/bread", {"category": "bakery", "price": 2.5, "available": False})
    assert answer.status_code == 202
    assert (answer.get_json()["accepted"], answer.get_json()["visible"]) == (1, True)
    assert "bread" not in office.items("ada") + office.items("nobody")
    put(office, "/v1/items/bread", {"category": "bakery"})
    assert "bread" in office.items("ada")
    first, second = (decode_item(record.payload) for record in stored(settings) if record.kind == ITEM)
    assert (first.item_id, first.category, first.price, first.available) == ("bread", "bakery", 2.5, False)
    assert second.available


def test_many_items_at_once_and_a_bad_one_among_them(office: Sender, settings: Settings) -> None:
    rows = [{"item_id": item, "available": False} for item in ITEMS[:4]]
    body = office.post("/v1/items", {"items": [*rows, {"item_id": "eggs", "price": "cheap"}, 7, {}]}).get_json()
    assert (body["accepted"], body["rejected"]) == (4, 3)
    assert "price is 'cheap'" in body["results"][4]["detail"]
    assert office.items() == ["eggs"]
    assert len(stored(settings)) == 4


def test_a_person_is_set_alone_and_among_others(office: Sender, settings: Settings) -> None:
    assert (
        put(office, "/v1/users/jos%C3%A9", {"region": "north", "attributes": {"plan": "free", "age": 7}}).status_code
        == 202
    )
    assert office.post("/v1/users", [{"user_id": "eve"}]).get_json()["accepted"] == 1
    one, other = (decode_user(record.payload) for record in stored(settings) if record.kind == USER)
    assert (one.user_id, one.region, dict(one.attributes)) == ("josé", "north", {"plan": "free", "age": "7"})
    assert other.user_id == "eve"


@pytest.mark.parametrize(
    ("path", "document", "detail"),
    [
        ("/v1/items/a", [], "send a JSON object"),
        ("/v1/items/a", {"colour": "red"}, "field 'colour' is unknown; fields are attributes, available,"),
        ("/v1/items/a", {"available": "no"}, "send true or false"),
        ("/v1/items/a", {"item_id": "b"}, "in the path"),
        ("/v1/items/a", {"attributes": {"a": [1]}}, "attribute a is [1]"),
        ("/v1/items/a", {"attributes": {"available": "false"}}, "send it as a field"),
        ("/v1/items/a%2Fb", {}, "ids in a path hold no slash"),
        ("/v1/users/a", {"attributes": {str(n): n for n in range(40)}}, "keep at most 32"),
    ],
)
def test_what_cannot_be_taken_says_why(path: str, document: Any, detail: str, office: Sender) -> None:
    answer = put(office, path, document)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert detail in answer.get_json()["detail"]


@pytest.mark.parametrize("document", [{}, [], {"items": 1}, [{}] * 501, "x"])
def test_a_bulk_that_is_none_is_refused_whole(document: Any, office: Sender) -> None:
    assert office.post("/v1/items", document).status_code == 400


def test_a_forgotten_person_is_a_stranger_at_once(
    app: Flask, office: Sender, keys: Keys, lists: redis.Redis, settings: Settings
) -> None:
    office.post("/v1/events", event("purchase", "apple", user_id="known"))
    office.post("/v1/events", event("purchase", "apple"))
    before = time.time_ns() // 1_000
    assert office.client.delete("/v1/users/ada", headers={"X-API-Key": keys.write}).status_code == 403
    for user in ("ada", "known"):
        answer = office.client.delete(f"/v1/users/{user}", headers={"X-API-Key": keys.admin})
        assert (answer.status_code, answer.get_json()["visible"]) == (202, True)
        assert lists.exists(list_key(Version().name, user), profile_key(Version().name, user)) == 0
        stranger = app.test_client().get(f"/v1/recommendations/{user}").get_json()
        assert (stranger["subject"], stranger["items"][0]["item_id"]) == ("overall", "apple")
    stones = [decode_tombstone(record.payload) for record in stored(settings) if record.kind == TOMBSTONE]
    assert [stone.user_id for stone in stones] == ["ada", "known"]
    assert before <= stones[0].forgotten_at <= time.time_ns() // 1_000
    lists.set(list_key(Version().name, "ada"), Version().answer("ada", "head"))  # a writer that was late
    assert app.test_client().get("/v1/recommendations/ada").get_json()["source"] == "popular"


def test_a_key_that_is_shipped_in_a_page_changes_no_item_and_nobody(sender: Sender) -> None:
    for path in ("/v1/items/bread", "/v1/users/ada"):
        assert put(sender, path, {}).status_code == 403
    for path in ("/v1/items", "/v1/users"):
        assert sender.post(path, []).status_code == 403
    assert sender.client.delete("/v1/users/ada", headers={"X-API-Key": sender.key}).status_code == 403

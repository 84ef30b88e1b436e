"""Lists asked for by POST: a session, exclusions and filters of the request; and given lists put into order."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from werkzeug.test import TestResponse

from contracts.redis_layout import overlay_key
from contracts.settings import Settings
from serving.app import create_app, services_of
from serving.decision import BROUGHT, FILTERED
from serving.inference.messages import TailAsk
from serving.left_out import DELISTED_REASON, EXCLUDED_REASON
from serving.list_store import UNREACHABLE
from serving.on_demand import UNKNOWN_LAST, WHY_NOT, MemoryAnswers
from serving.ranking import IN_ORDER_GIVEN, NOT_COMPUTED_HERE
from serving.rungs import NOT_FILTERED
from serving.tail_client import LATE, TailFailure
from tests.serving.conftest import OpenApp
from tests.serving.published import ITEMS, Version
from tests.serving.test_left_out import set_delisted
from tests.serving.test_on_demand import session

RECOMMEND, RANK = "/v1/recommendations", "/v1/rank"
CLICK = {"event_type": "click", "item_id": "fig"}


def backwards(ask: TailAsk) -> Sequence[str]:
    """Given items from behind, less one that no model knows; else some that are new."""
    if ask.items is not None:
        return [item for item in reversed(ask.items) if item != "unheard"]
    return ("fig", "ginger")


@pytest.fixture
def answers() -> MemoryAnswers:
    return MemoryAnswers(backwards)


@pytest.fixture
def computing(lists: redis.Redis, settings: Settings, answers: MemoryAnswers) -> Iterator[Flask]:
    app = create_app(settings, answers)
    yield app
    services_of(app).close()


@pytest.fixture
def late(lists: redis.Redis, settings: Settings) -> Iterator[Flask]:
    """The application while inference answers nothing in time."""

    def fail(_ask: TailAsk) -> Sequence[str]:
        raise TailFailure(LATE, "as the test wants it")

    app = create_app(settings, MemoryAnswers(fail))
    yield app
    services_of(app).close()


def post(app: Flask, path: str, **body: Any) -> dict[str, Any]:
    response = send(app, path, body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.get_json()
    return answer


def send(app: Flask, path: str, body: Any) -> TestResponse:
    return app.test_client().post(path, json=body)


def items_of(answer: dict[str, Any]) -> list[str]:
    return [row["item_id"] for row in answer["items"]]


def test_a_session_in_the_request_is_answered_on_demand(computing: Flask, answers: MemoryAnswers) -> None:
    before_ms = int(time.time() * 1_000)
    older = {"event_type": "view", "item_id": "apple", "occurred_at": "2026-01-31T07:59:30Z", "value": 2}
    context = {"placement": "up_next", "region": "north", "device": "mobile"}
    answer = post(computing, RECOMMEND, anonymous_id="a1", session=[CLICK, older], context=context, limit=1)
    assert (answer["source"], items_of(answer), answer["subject"]) == ("on_demand", ["fig"], "anon:a1")
    assert answer["reason"].startswith(BROUGHT)
    [ask] = answers.asked
    assert [row[1:3] for row in ask.events] == [("view", "apple"), ("click", "fig")]
    assert (ask.events[0][3], ask.events[0][4]) == (1_769_846_370_000, 2.0)
    assert before_ms <= ask.events[1][3] <= int(time.time() * 1_000)
    assert (ask.user_id, ask.context.placement, ask.context.region) == ("anon:a1", "up_next", "north")


def test_what_was_posted_and_is_brought_again_counts_once(
    computing: Flask, answers: MemoryAnswers, lists: redis.Redis
) -> None:
    lists.set(overlay_key("ada"), session(("click", "fig", 5)))
    again = {**CLICK, "event_id": "e0"}
    post(computing, RECOMMEND, user_id="ada", session=[again, {**CLICK, "event_type": "view"}])
    assert [row[1] for row in answers.asked[0].events] == ["click", "view"]


def test_a_stored_list_answers_a_post_that_tells_nothing_new(computing: Flask, answers: MemoryAnswers) -> None:
    assert send(computing, RECOMMEND, {"user_id": "ada"}).data == Version().answer("ada", "head")
    answer = post(computing, RECOMMEND, user_id="ada", anonymous_id="a1", exclude=["bread", "zebra"], limit=2)
    assert (answer["source"], items_of(answer)) == ("head", ["apple", "cheese"])
    assert answer["reason"].endswith(EXCLUDED_REASON)
    assert not answers.asked


def test_what_is_excluded_or_was_just_bought_is_not_asked_for(computing: Flask, answers: MemoryAnswers) -> None:
    bought = {"event_type": "purchase", "item_id": "fig"}
    answer = post(computing, RECOMMEND, user_id="known", exclude=["zebra"], session=[bought])
    assert answers.asked[0].excluded == ["fig", "zebra"]
    assert items_of(answer) == ["ginger"]


def test_a_filter_is_asked_for_in_its_canonical_form(computing: Flask, answers: MemoryAnswers) -> None:
    for predicate in (
        {"and": [{"field": "price", "lt": 50}, {"field": "category", "equals": "hats"}]},
        {"and": [{"field": "category", "in": ["hats"]}, {"field": "price", "lt": 50.0}]},
    ):
        answer = post(computing, RECOMMEND, user_id="ada", filter=predicate)
        assert (answer["source"], answer["reason"].split(";")[0]) == ("on_demand", FILTERED)
    one, other = answers.asked
    assert one.filter == other.filter != ""


def test_without_inference_a_filter_shows_nothing_rather_than_what_it_forbids(late: Flask) -> None:
    answer = post(late, RECOMMEND, user_id="ada", filter={"field": "category", "equals": "hats"})
    assert (answer["source"], answer["items"]) == ("fallback", [])
    assert answer["reason"] == f"{FILTERED}; {WHY_NOT[LATE]}; popular in the segment; {NOT_FILTERED}"
    answer = post(late, RECOMMEND, user_id="ada", session=[CLICK])
    assert (answer["source"], items_of(answer)) == ("head", list(ITEMS))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ([], "the body is [] (a list); send a JSON object"),
        ({}, "there is neither user_id nor anonymous_id"),
        ({"user_id": 7}, "user_id is 7 (a number)"),
        ({"user_id": "x" * 257}, "user_id has 257 bytes"),
        ({"user_id": "ada", "limits": 3}, "the body has the field 'limits', which is unknown; near ones are limit"),
        ({"user_id": "ada", "limit": 0}, "limit is 0 (a number); it takes a whole number from 1 to 500"),
        ({"user_id": "ada", "limit": True}, "limit is True"),
        ({"user_id": "ada", "exclude": "bread"}, "exclude is 'bread'; send a JSON array"),
        ({"user_id": "ada", "exclude": ["a", ""]}, "exclude[1] is empty"),
        ({"user_id": "ada", "exclude": ["a"] * 1_001}, "exclude has 1,001 entries; send at most 1,000"),
        ({"user_id": "ada", "context": []}, "context is [] (a list); send a JSON object"),
        ({"user_id": "ada", "context": {"place": "home"}}, "near ones are placement"),
        ({"user_id": "ada", "context": {"placement": "attic"}}, "placement 'attic' is unknown"),
        ({"user_id": "ada", "context": {"placement": ["home"]}}, "is unknown; known ones are home"),
        ({"user_id": "ada", "session": {}}, "session is {} (an object); send a JSON array"),
        ({"user_id": "ada", "session": [{"item_id": "fig"}]}, "session[0]: there is no event_type"),
        ({"user_id": "ada", "session": [{**CLICK, "occurred_at": "soon"}]}, "session[0].occurred_at is 'soon'"),
        ({"user_id": "ada", "session": [{**CLICK, "value": "2"}]}, "session[0]: value is '2'"),
        ({"user_id": "ada", "session": [CLICK] * 501}, "session has 501 entries; send at most 500"),
        ({"user_id": "ada", "session": [CLICK], "context": {"placement": "email"}}, "placement email uses no session"),
        ({"user_id": "ada", "filter": {"field": "price"}}, "filter"),
        ({"user_id": "ada", "filter": {}, "context": {"placement": "email"}}, "nothing can be filtered there"),
    ],
)
def test_what_is_wrong_with_a_body_is_named(app: Flask, body: Any, complaint: str) -> None:
    response = send(app, RECOMMEND, body)
    assert (response.status_code, response.content_type) == (400, "application/problem+json")
    assert complaint in response.get_json()["detail"]


@pytest.mark.parametrize("path", [RECOMMEND, RANK])
def test_bodies_are_bounded_and_of_one_type(app: Flask, path: str) -> None:
    large = app.test_client().post(path, data=b" " * 300_000, content_type="application/json")
    other = app.test_client().post(path, data=b"{}", content_type="text/html")
    none = app.test_client().post(path, data=b"{", content_type="application/json")
    assert [large.status_code, other.status_code, none.status_code] == [413, 415, 400]


def test_a_given_list_comes_back_in_another_order(computing: Flask, answers: MemoryAnswers) -> None:
    answer = post(computing, RANK, user_id="known", items=["apple", "unheard", "bread", "fig", "apple"])
    assert (answer["source"], items_of(answer)) == ("on_demand", ["fig", "bread", "apple", "unheard"])
    assert UNKNOWN_LAST in answer["reason"]
    assert (answers.asked[0].items, answers.asked[0].excluded) == (["apple", "unheard", "bread", "fig"], [])


def test_of_a_given_list_only_what_nobody_can_have_is_dropped(
    computing: Flask, answers: MemoryAnswers, lists: redis.Redis
) -> None:
    lists.set(overlay_key("known"), session(("purchase", "apple", 1), gone={"apple": 9_999_999_999_999}))
    set_delisted(computing, ["bread"])
    answer = post(computing, RANK, user_id="known", items=["apple", "bread", "fig"])
    assert items_of(answer) == ["fig", "apple"]
    assert DELISTED_REASON in answer["reason"]
    assert answers.asked[0].seq == 4


def test_a_list_that_cannot_be_ranked_keeps_its_order_and_says_why(late: Flask, computing: Flask) -> None:
    answer = post(late, RANK, user_id="ada", items=["cheese", "apple"])
    assert (answer["source"], items_of(answer)) == ("fallback", ["cheese", "apple"])
    assert answer["reason"] == f"{WHY_NOT[LATE]}; {IN_ORDER_GIVEN}"
    answer = post(computing, RANK, user_id="ada", items=["cheese", "apple"], context={"placement": "search"})
    assert answer["reason"].startswith(NOT_COMPUTED_HERE)


def test_without_redis_a_list_keeps_its_order_too(tmp_path: Path, open_app: OpenApp) -> None:
    app = open_app(Settings(root=tmp_path, redis_url="redis://127.0.0.1:1/0"))
    answer = post(app, RANK, user_id="ada", items=["cheese", "apple"])
    assert (answer["source"], items_of(answer), answer["version"]) == ("fallback", ["cheese", "apple"], "")
    assert answer["reason"].startswith(UNREACHABLE)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"user_id": "ada"}, "items is missing or empty"),
        ({"user_id": "ada", "items": []}, "items is missing or empty"),
        ({"items": ["fig"]}, "there is neither user_id nor anonymous_id"),
        ({"user_id": "ada", "items": ["fig"] * 501}, "items has 501 entries; send at most 500"),
        ({"user_id": "ada", "items": ["fig"], "limit": 3}, "the body has the field 'limit', which is unknown"),
    ],
)
def test_what_is_wrong_with_a_list_is_named(app: Flask, body: Any, complaint: str) -> None:
    response = send(app, RANK, body)
    assert response.status_code == 400
    assert complaint in response.get_json()["detail"]

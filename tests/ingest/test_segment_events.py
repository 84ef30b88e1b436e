"""Messages of Segment become events of the contract, with ids that a retry repeats."""

import time
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.gate import Accepted, Gate, Refused
from ingest.segment_events import MESSAGE_TYPES, map_message, snake_name

NOW = time.time_ns() // 1_000
MESSAGE_ID = "0b7e3f2c-5d1a-4c8e-9f60-3a2b1c4d5e6f"


def track(event: str, properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A message as the libraries send it."""
    return {
        "type": "track",
        "event": event,
        "properties": properties or {},
        "userId": "ada",
        "messageId": MESSAGE_ID,
        "timestamp": "2026-01-31T07:59:30.123Z",
        **more,
    }


def accepted(message: object) -> list[Accepted]:
    """What the gate makes of a message, all of it accepted."""
    verdicts = [Gate().check(raw, received_at=NOW) for raw in map_message(message).events]
    assert all(isinstance(verdict, Accepted) for verdict in verdicts), verdicts
    return [verdict for verdict in verdicts if isinstance(verdict, Accepted)]


@pytest.mark.parametrize(
    ("event", "properties", "event_type", "item_id", "value"),
    [
        ("Product Viewed", {"product_id": "a"}, "view", "a", None),
        ("product_clicked", {"product_id": 7}, "click", "7", None),
        ("ProductAdded", {"productId": "a", "value": "2.5"}, "add_to_cart", "a", 2.5),
        ("Product Removed", {"sku": "a"}, "remove_from_cart", "a", None),
        ("Product Reviewed", {"product_id": "a", "rating": "4"}, "rating", "a", 4.0),
        ("Products Searched", {"query": "milk"}, "search", "", None),
        ("Not Interested", {"product_id": "a"}, "not_interested", "a", None),
        ("Wishlist Shared!", {}, "wishlist_shared", "", None),
        ("7 Days Active", {}, "event_7_days_active", "", None),
    ],
)
def test_each_name_has_its_type(
    event: str, properties: dict[str, Any], event_type: str, item_id: str, value: float | None
) -> None:
    [verdict] = accepted(track(event, properties))
    found = verdict.event
    assert (found.event_type, found.item_id, found.value) == (event_type, item_id, value)
    assert (found.event_id, found.user_id) == (MESSAGE_ID, "ada")


def test_an_order_is_a_purchase_of_each_product_with_ids_that_a_retry_repeats() -> None:
    products = [
        {"product_id": "a", "price": 2, "quantity": 3},
        {"product_id": "b", "price": "1.5"},
        {"product_id": "c"},
    ]
    message = track("Order Completed", {"order_id": "o1", "currency": "EUR", "revenue": 9, "products": products})
    lines = [verdict.event for verdict in accepted(message)]
    assert [(line.event_type, line.item_id, line.value, line.quantity) for line in lines] == [
        ("purchase", "a", 6.0, 3.0),
        ("purchase", "b", 1.5, None),
        ("purchase", "c", None, None),
    ]
    assert {line.currency for line in lines} == {"EUR"}
    assert lines[0].properties == {"order_id": "o1", "price": 2}
    assert len({line.event_id for line in lines} | {MESSAGE_ID}) == 4
    assert [line.event_id for line in lines] == [verdict.event.event_id for verdict in accepted(message)]


def test_a_list_that_was_recommended_is_an_impression_and_another_is_an_event() -> None:
    properties = {"products": [{"product_id": "a"}, {"product_id": "b"}], "list_id": "l"}
    [shown] = accepted(track("Product List Viewed", {**properties, "recommendation_id": "r1", "placement": "home"}))
    assert (shown.event.event_type, shown.event.item_ids) == ("impression", ("a", "b"))
    assert (shown.event.recommendation_id, shown.event.context["placement"]) == ("r1", "home")
    [other] = accepted(track("Product List Viewed", properties))
    assert other.event.event_type == "product_list_viewed"


@pytest.mark.parametrize("message_id", ["ajs-next-1769846370000-abc", 12, MESSAGE_ID.replace("-", ""), "0" * 36])
def test_an_id_that_is_no_uuid_becomes_always_the_same_one(message_id: object) -> None:
    one, other = (accepted(track("Product Viewed", {"product_id": "a"}, messageId=message_id)) for _ in range(2))
    assert one[0].event.event_id == other[0].event.event_id
    assert uuid.UUID(one[0].event.event_id).version == 5


def test_circumstances_and_consent_are_kept_and_the_rest_is_not() -> None:
    context = {
        "locale": "de-DE",
        "device": {"type": "ios", "id": "secret"},
        "ip": "10.0.0.1",
        "sessionId": 1769846370000,
        "consent": {"categoryPreferences": {"Advertising": False, "Functional": True, "odd": "yes"}},
    }
    [verdict] = accepted(track("Product Viewed", {"product_id": "a"}, context=context, channel="mobile"))
    event = verdict.event
    assert dict(event.context) == {"channel": "mobile", "locale": "de-DE", "device_type": "ios"}
    assert dict(event.consent) == {"Advertising": False, "Functional": True}
    assert event.session_id == "1769846370000"


def test_identify_and_alias_join_two_ids_and_traits_describe_the_person() -> None:
    message = {
        **track(""),
        "type": "identify",
        "anonymousId": "a1",
        "traits": {"plan": "free", "address": {"state": "BE"}},
    }
    mapped = map_message(message)
    assert mapped.user == {"user_id": "ada", "region": "BE", "attributes": {"plan": "free"}}
    [event] = accepted(message)
    assert (event.event.event_type, event.event.user_id, event.event.anonymous_id) == ("identify", "ada", "a1")
    [alias] = accepted({**track(""), "type": "alias", "previousId": "a2"})
    assert (alias.event.user_id, alias.event.anonymous_id) == ("ada", "a2")
    assert map_message({**message, "traits": {}}).user is None


def test_page_screen_and_group_keep_what_they_say() -> None:
    [page] = accepted({**track("", {"url": "/x"}), "type": "page", "name": "Home"})
    assert (page.event.event_type, page.event.properties) == ("page", {"url": "/x", "name": "Home"})
    [group] = accepted({**track(""), "type": "group", "groupId": "g", "traits": {"size": 3}})
    assert group.event.properties == {"size": 3, "group_id": "g"}
    assert accepted({**track(""), "type": "screen"})[0].event.event_type == "screen"


@pytest.mark.parametrize("message", [None, 7, "x", [], {}, {"type": "delete"}, {"type": 1}])
def test_what_is_no_message_is_refused_by_the_gate(message: object) -> None:
    [raw] = map_message(message).events
    assert isinstance(Gate().check(raw, received_at=NOW), Refused)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = ("event", "properties", "userId", "anonymousId", "messageId", "timestamp", "traits", "context", "previousId")


@given(st.sampled_from(MESSAGE_TYPES), st.dictionaries(st.sampled_from(NAMES), JSON), st.lists(JSON, max_size=3))
def test_no_message_is_too_strange_for_a_verdict(kind: str, message: dict[str, Any], products: list[Any]) -> None:
    for said in (message, {**message, "event": "Order Completed", "properties": {"products": products}}):
        mapped = map_message({**said, "type": kind})
        assert all(isinstance(Gate().check(raw, received_at=NOW), Accepted | Refused) for raw in mapped.events)


@given(st.text(max_size=200))
def test_a_name_is_one_that_the_contract_takes_or_empty(name: str) -> None:
    snake = snake_name(name)
    assert len(snake) <= 64
    assert snake == "" or (snake[0].isalpha() and snake.replace("_", "a").isalnum() and snake.islower())

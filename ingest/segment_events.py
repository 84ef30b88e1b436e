"""Messages of the Segment HTTP API as events of the contract; docs/segment.md is the table in words.

Pure: what a message lacks is left for the gate to refuse, so that it is refused with the same reasons.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from contracts.event_contract import (
    ADD_TO_CART,
    CLICK,
    PAGE,
    PURCHASE,
    RATING,
    REMOVE_FROM_CART,
    SEARCH,
    SHOWN,
    VIEW,
    uuid_of_text,
)

TRACK, IDENTIFY, ALIAS, SCREEN, GROUP = "track", "identify", "alias", "screen", "group"
MESSAGE_TYPES = (TRACK, IDENTIFY, PAGE, ALIAS, SCREEN, GROUP)
# Event names of Segment's e-commerce spec that are about one product.
OF_A_PRODUCT = {
    "product_viewed": VIEW,
    "product_clicked": CLICK,
    "product_added": ADD_TO_CART,
    "product_removed": REMOVE_FROM_CART,
    "product_reviewed": RATING,
}
ORDER_COMPLETED, PRODUCTS_SEARCHED, LIST_VIEWED = "order_completed", "products_searched", "product_list_viewed"
PRODUCT_IDS = ("product_id", "productId", "item_id", "sku")
MAPPED = frozenset({*PRODUCT_IDS, "products", "quantity", "currency", "recommendation_id", "impression_id"})
MAX_NAME_LENGTH = 64
Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mapped:
    """Events as the gate reads them, and what an identify says of the person (None: nothing)."""

    events: list[Raw] = field(default_factory=list)
    user: Raw | None = None


def map_message(message: object) -> Mapped:
    """What one message means; something that is no message is handed on as it came."""
    if not isinstance(message, dict) or message.get("type") not in MESSAGE_TYPES:
        return Mapped([message if isinstance(message, dict) else {"message": message}])
    kind, said = message["type"], _object(message.get("properties"))
    envelope = _envelope(message)
    if kind == TRACK:
        return Mapped(_track(str(message.get("event") or ""), envelope, said))
    if kind == IDENTIFY:
        traits = _object(message.get("traits"))
        user = {"user_id": envelope.get("user_id"), **_traits(traits)} if envelope.get("user_id") and traits else None
        return Mapped([{**envelope, "event_type": IDENTIFY}], user)
    if kind == ALIAS:
        previous = _text(message.get("previousId"))
        return Mapped([{**envelope, "event_type": ALIAS, "anonymous_id": previous}])
    if kind in (PAGE, SCREEN):
        named = {name: message[name] for name in ("name", "category") if message.get(name)}
        return Mapped([{**envelope, "event_type": kind, "properties": {**said, **named}}])
    group = {"group_id": _text(message.get("groupId"))}
    return Mapped([{**envelope, "event_type": GROUP, "properties": {**_object(message.get("traits")), **group}}])


def snake_name(name: str) -> str:
    """An event's name as the contract writes it: Product Viewed is product_viewed."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    snake = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:MAX_NAME_LENGTH]
    return snake if snake[:1].isalpha() or not snake else f"event_{snake}"[:MAX_NAME_LENGTH]


def _track(name: str, envelope: Raw, said: Mapping[str, Any]) -> list[Raw]:
    snake = snake_name(name)
    products = said.get("products")
    listed = [row for row in products if isinstance(row, dict)] if isinstance(products, list) else []
    if snake == ORDER_COMPLETED and listed:
        return [_order_line(place, row, envelope, said) for place, row in enumerate(listed)]
    event = {**envelope, **_details(said)}
    if snake == LIST_VIEWED and said.get("recommendation_id") and listed:
        item_ids = [_product_id(row) for row in listed]
        return [{**event, "event_type": SHOWN, "item_id": None, "item_ids": item_ids}]
    if snake == PRODUCTS_SEARCHED:
        return [{**event, "event_type": SEARCH}]
    event["event_type"] = OF_A_PRODUCT.get(snake, snake)
    if event["event_type"] == RATING:
        event["value"] = _number(said.get("rating"))
    return [event]


def _order_line(place: int, row: Mapping[str, Any], envelope: Raw, order: Mapping[str, Any]) -> Raw:
    """One purchase of an order, with an id of its own that a retry repeats."""
    shared = {name: value for name, value in order.items() if name not in ("products", "value", "revenue", "total")}
    event = {**envelope, **_details({**shared, **row}), "event_type": PURCHASE}
    event["event_id"] = uuid_of_text(f"{envelope['event_id']}/{place}")
    price, quantity = _number(row.get("price")), _number(row.get("quantity"))
    if isinstance(price, int | float):
        event["value"] = price * (quantity if isinstance(quantity, int | float) else 1)
    return event


def _details(said: Mapping[str, Any]) -> Raw:
    details: Raw = {
        "item_id": _product_id(said),
        "value": _number(said.get("value")),
        "quantity": _number(said.get("quantity")),
        "currency": said.get("currency"),
        "recommendation_id": _text(said.get("recommendation_id")),
        "impression_id": _text(said.get("impression_id")),
        "properties": {name: value for name, value in said.items() if name not in MAPPED and value is not None},
    }
    return {name: value for name, value in details.items() if value not in (None, "")}


def _envelope(message: Mapping[str, Any]) -> Raw:
    context = _object(message.get("context"))
    device, library = _object(context.get("device")), _object(context.get("library"))
    about = {
        "channel": message.get("channel") or context.get("channel"),
        "locale": context.get("locale"),
        "device_type": device.get("type"),
        "region": _object(context.get("location")).get("region"),
        "placement": _object(message.get("properties")).get("placement"),
        "library": library.get("name"),
    }
    consent = _object(_object(context.get("consent")).get("categoryPreferences"))
    envelope: Raw = {
        "event_id": _event_id(message.get("messageId")),
        "user_id": _text(message.get("userId")),
        "anonymous_id": _text(message.get("anonymousId")),
        "session_id": _text(context.get("sessionId")),
        "occurred_at": message.get("timestamp") or message.get("originalTimestamp"),
        "sent_at": message.get("sentAt"),
        "context": {name: value for name, value in about.items() if isinstance(value, str) and value},
        "consent": {name: value for name, value in consent.items() if isinstance(value, bool)},
    }
    return {name: value for name, value in envelope.items() if value not in (None, "")}


def _event_id(message_id: object) -> Any:
    text = _text(message_id)
    if not text:
        return str(uuid4())
    if not isinstance(text, str):
        return text
    try:
        return str(UUID(text)) if len(text) == 36 and UUID(text).int else uuid_of_text(text)
    except ValueError:
        return uuid_of_text(text)


def _traits(traits: Mapping[str, Any]) -> Raw:
    address = _object(traits.get("address"))
    region = traits.get("region") or address.get("state") or address.get("country")
    plain = {name: value for name, value in traits.items() if isinstance(value, str | int | float) and name != "region"}
    return {"region": _text(region), "attributes": plain}


def _product_id(row: Mapping[str, Any]) -> str:
    return next((text for name in PRODUCT_IDS if (text := _text(row.get(name)))), "")


def _text(value: object) -> Any:
    """Numbers are ids too; what is neither is left for the gate to refuse."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return "" if value is None else value


def _number(value: object) -> Any:
    """Numbers in text are what many senders make of prices; what is none is left for the gate to refuse."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

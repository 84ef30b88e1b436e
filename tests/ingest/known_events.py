"""Events whose validity is known by construction: valid ones in every guise, and each way of breaking one."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from contracts.event_contract import EVENT_TYPES, PURCHASE, RATING, SEARCH, SHOWN, SURVEY_ANSWER

Raw = dict[str, Any]
NOW = 1_769_842_800_000_000
SECOND = 1_000_000
_TEXTS = ("ann", "household 12", "Zoë", "商品", "😀", "a'b", "x" * 256, '"quoted"', "é" * 128, "0", "{tag}")


def valid_event(rng: Random) -> Raw:
    """An event that the gate must take at NOW, its optional fields there, null, empty or absent at random."""
    event_type = rng.choice((*EVENT_TYPES, "wishlist_added", "x", "a" * 64))
    raw: Raw = {
        "event_id": _uuid(rng),
        "event_type": event_type,
        "occurred_at": _written(rng, NOW - rng.randrange(3 * 86_400) * SECOND),
    }
    for name in rng.sample(("user_id", "anonymous_id"), rng.choice((1, 2))):
        raw[name] = rng.choice(_TEXTS)
    if event_type in EVENT_TYPES and event_type not in (SEARCH, SURVEY_ANSWER, SHOWN, "page"):
        raw["item_id"] = rng.choice(_TEXTS)
    _bring_what_types_need(rng, raw)
    _add_options(rng, raw)
    names = list(raw)
    rng.shuffle(names)
    return {name: raw[name] for name in names}


def _bring_what_types_need(rng: Random, raw: Raw) -> None:
    if raw["event_type"] == SEARCH:
        raw["properties"] = {"query": rng.choice(_TEXTS)}
    if raw["event_type"] == SURVEY_ANSWER:
        raw["properties"] = {"question": "q1", "answer": rng.choice(("yes", 4, False, ["a", "b"], 2.5))}
    if raw["event_type"] == SHOWN:
        raw |= {"recommendation_id": "v.1", "item_ids": [rng.choice(_TEXTS) for _ in range(rng.randint(1, 50))]}
    if raw["event_type"] in (RATING, PURCHASE):
        raw["value"] = rng.choice((0, -3, 4.5, 1e9, -1e9, 1))


def _add_options(rng: Random, raw: Raw) -> None:
    options: Raw = {
        "session_id": rng.choice(_TEXTS),
        "source": rng.choice(("web", "ios", "till 4")),
        "recommendation_id": "2026-01-31T07.3.abc",
        "impression_id": "shown-1",
        "value": rng.choice((None, 1, 2.5)),
        "quantity": rng.choice((1, 0.5, 12)),
        "currency": rng.choice(("EUR", "usd")),
        "schema_version": 1,
        "sent_at": _written(rng, NOW + rng.randrange(-4, 5) * SECOND),
        "context": {
            name: rng.choice(("web", "", None, "é")) for name in ("channel", "region", "placement", "own name")
        },
        "consent": {"personalization": rng.random() < 0.5},
        "properties": {"coupon": "X", "nested": {"a": [1, {"b": None}]}, "big": 2**60},
        "item_ids": ["a", "b"],
    }
    for name, value in options.items():
        if name not in raw and rng.random() < 0.4:
            raw[name] = rng.choice((value, value, value, None))
    for name in ("session_id", "impression_id"):
        if name not in raw and rng.random() < 0.1:
            raw[name] = ""


def _uuid(rng: Random) -> str:
    text = str(UUID(int=rng.getrandbits(128)))
    return text.upper() if rng.random() < 0.2 else text


def _written(rng: Random, micros: int) -> int | float | str:
    """The same whole second in one of the ways that the world writes it."""
    instant = datetime.fromtimestamp(micros // SECOND, UTC)
    ways: tuple[int | float | str, ...] = (
        micros // SECOND,
        micros / SECOND,
        micros // 1_000,
        micros,
        micros * 1_000,
        str(micros // 1_000),
        instant.isoformat(),
        instant.strftime("%Y-%m-%dT%H:%M:%SZ"),
        instant.strftime("%Y-%m-%d %H:%M:%S"),
    )
    return rng.choice(ways)


def _with(**fields: Any) -> Callable[[Raw], Raw]:
    return lambda raw: raw | fields


def _without(*names: str) -> Callable[[Raw], Raw]:
    return lambda raw: {name: value for name, value in raw.items() if name not in names}


def _nested(levels: int) -> Any:
    return {"a": _nested(levels - 1)} if levels else 1


# How to break an event, and the reason that the gate must give.
BREAKS: tuple[tuple[str, Callable[[Raw], Raw]], ...] = (
    ("unknown_field", _with(usr_id="ann")),
    ("unknown_field", _with(received_at=NOW)),
    ("schema_version_unknown", _with(schema_version=99)),
    ("schema_version_unknown", _with(schema_version="1")),
    ("event_id_missing", _without("event_id")),
    ("event_id_not_text", _with(event_id=12)),
    ("event_id_not_uuid", _with(event_id="order-12")),
    ("event_id_not_uuid", _with(event_id="00000000-0000-0000-0000-000000000000")),
    ("event_type_missing", _with(event_type="")),
    ("event_type_not_text", _with(event_type=["view"])),
    ("event_type_name", _with(event_type="Product Viewed")),
    ("event_type_name", _with(event_type="a" * 65)),
    ("occurred_at_missing", _without("occurred_at")),
    ("occurred_at_unreadable", _with(occurred_at="yesterday")),
    ("occurred_at_unreadable", _with(occurred_at=True)),
    ("occurred_at_unreadable", _with(occurred_at=2**64)),
    ("occurred_at_early", _with(occurred_at=1_420_070_399, sent_at=None)),
    ("occurred_at_early", _with(occurred_at=0)),
    ("occurred_at_ahead", _with(occurred_at=NOW + 301 * SECOND, sent_at=None)),
    ("occurred_at_ahead", _with(occurred_at="2262-01-01", sent_at=None)),
    ("sent_at_unreadable", _with(sent_at={})),
    ("sent_at_early", _with(sent_at=1)),
    ("person_missing", _without("user_id", "anonymous_id")),
    ("user_id_not_text", _with(user_id=7)),
    ("user_id_reserved", _with(user_id="anon:ann")),
    ("anonymous_id_too_long", _with(anonymous_id="é" * 129)),
    ("session_id_control_character", _with(session_id="a\nb")),
    ("item_id_not_text", _with(item_id={"sku": 1})),
    ("item_id_missing", lambda raw: _without("item_id")(raw | {"event_type": "click"})),
    ("value_missing", lambda raw: _without("value")(raw | {"event_type": "rating", "item_id": "a"})),
    ("value_not_a_number", _with(value="12.50")),
    ("value_not_a_number", _with(value=True)),
    ("value_out_of_range", _with(value=1e300)),
    ("quantity_out_of_range", _with(quantity=10**40)),
    ("currency_shape", _with(currency="euro")),
    ("currency_shape", _with(currency=978)),
    ("item_ids_not_a_list", _with(item_ids="a,b")),
    ("item_ids_not_text", _with(item_ids=["a", 2])),
    ("item_ids_missing", _with(item_ids=["a", ""])),
    ("item_ids_too_many", _with(item_ids=["a"] * 501)),
    ("item_ids_missing", _with(event_type="impression", recommendation_id="r", item_ids=[])),
    ("recommendation_id_missing", _with(event_type="impression", recommendation_id=None, item_ids=["a"])),
    ("query_missing", _with(event_type="search", properties={"query": " "})),
    ("query_not_text", _with(event_type="search", properties={"query": 4})),
    ("question_missing", _with(event_type="survey_answer", properties={"answer": 4})),
    ("answer_missing", _with(event_type="survey_answer", properties={"question": "q", "answer": None})),
    ("context_not_an_object", _with(context="web")),
    ("context_too_many_entries", _with(context={str(n): "x" for n in range(33)})),
    ("context_name", _with(context={"": "x"})),
    ("context_value_not_text", _with(context={"channel": 1})),
    ("context_value_too_long", _with(context={"channel": "x" * 257})),
    ("consent_not_an_object", _with(consent=True)),
    ("consent_value", _with(consent={"personalization": "yes"})),
    ("consent_name", _with(consent={"a\tb": True})),
    ("properties_not_an_object", _with(event_type="page", properties=[1])),
    ("properties_too_deep", _with(event_type="page", properties=_nested(9))),
    ("properties_too_large", _with(event_type="page", properties={"a": "x" * 20_000})),
)
# Bytes that are no event at all.
RUBBISH: tuple[tuple[str, bytes], ...] = (
    ("not_json", b'{"event_id": }'),
    ("not_json", b'{"user_id": "\xff"}'),
    ("not_json", b'{"user_id": "\\ud83d"}'),
    ("not_json", b'{"value": NaN}'),
    ("not_json", b'{"value": 1e999}'),
    ("not_json", b'{"properties": ' + b"[" * 3_000 + b"]" * 3_000 + b"}"),
    ("not_an_event", b"7"),
    ("not_an_event", b"null"),
    ("not_an_event", b'["event"]'),
    ("event_id_missing", b"{}"),
)


def known_piece(rng: Random, valid_share: float) -> tuple[bytes, str]:
    """Bytes of an event, and the reason that it must be refused for; "" when it must be taken."""
    raw = valid_event(rng)
    if rng.random() < valid_share:
        return encoded(rng, raw), ""
    if rng.random() < 0.1:
        reason, piece = rng.choice(RUBBISH)
        return piece, reason
    reason, break_it = rng.choice(BREAKS)
    return encoded(rng, break_it(raw)), reason


def encoded(rng: Random, raw: Raw) -> bytes:
    """JSON in one of its spellings."""
    ascii_only, spaces = rng.random() < 0.5, rng.random() < 0.5
    return json.dumps(raw, ensure_ascii=ascii_only, separators=(", ", ": ") if spaces else (",", ":")).encode()

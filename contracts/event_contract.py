"""Events as they are once accepted; the Avro schemas beside this file are the single source of truth for their form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from uuid import UUID, uuid5

import orjson

from contracts.payloads import decode_payload, encode_payload
from contracts.records import EVENT, IMPRESSION, Record

VIEW, CLICK, HOVER, SEARCH, PAGE = "view", "click", "hover", "search", "page"
ADD_TO_CART, REMOVE_FROM_CART, PURCHASE = "add_to_cart", "remove_from_cart", "purchase"
RATING, NOT_INTERESTED, SURVEY_ANSWER = "rating", "not_interested", "survey_answer"
# The type of a shown list has the name of the kind that its records are of.
SHOWN = IMPRESSION
EVENT_TYPES = (
    VIEW,
    CLICK,
    HOVER,
    SEARCH,
    ADD_TO_CART,
    REMOVE_FROM_CART,
    PURCHASE,
    RATING,
    NOT_INTERESTED,
    SURVEY_ANSWER,
    SHOWN,
    PAGE,
)
CHANNEL, CONTEXT_REGION, LOCALE, DEVICE_TYPE, CONTEXT_PLACEMENT = (
    "channel",
    "region",
    "locale",
    "device_type",
    "placement",
)
ANONYMOUS_PREFIX = "anon:"
HOUR_MICROSECONDS = 3_600_000_000
_NAMESPACE = UUID("5f0d4a52-6f5b-5d0e-9a43-1f7a3b0c9f11")


@dataclass(frozen=True, slots=True)
class Event:
    """One accepted event. Absent strings are ""; instants are microseconds since 1970 by the server's clock."""

    event_id: str
    event_type: str
    source: str
    user_id: str
    anonymous_id: str
    session_id: str
    item_id: str
    occurred_at: int
    sent_at: int
    received_at: int
    value: float | None = None
    currency: str = ""
    quantity: float | None = None
    recommendation_id: str = ""
    impression_id: str = ""
    item_ids: tuple[str, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    consent: Mapping[str, bool] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def person(self) -> str:
        """Key of the person: the user id, or anon:<anonymous id> while nobody is logged in."""
        return self.user_id or ANONYMOUS_PREFIX + self.anonymous_id

    @property
    def kind(self) -> str:
        """Kind of the record that carries this event."""
        return IMPRESSION if self.event_type == SHOWN else EVENT


def record_of_event(event: Event, *, occurred_at_as_sent: int | None = None) -> Record:
    """The record that the stream carries.

    `occurred_at_as_sent` is the instant before any correction of the sender's clock; a retry repeats it, so that it
    names the hour in which the event counts once.
    """
    as_sent = event.occurred_at if occurred_at_as_sent is None else occurred_at_as_sent
    return Record(
        event.kind, event.person, encode_event(event), digest_of_id(event.event_id), as_sent // HOUR_MICROSECONDS
    )


def encode_event(event: Event) -> bytes:
    """Payload of an event or impression."""
    return encode_payload(
        EVENT,
        {
            "event_id": event.event_id,
            "event_type": event.event_type,
            "source": event.source,
            "user_id": event.user_id,
            "anonymous_id": event.anonymous_id,
            "session_id": event.session_id,
            "item_id": event.item_id,
            "occurred_at": event.occurred_at,
            "sent_at": event.sent_at,
            "received_at": event.received_at,
            "value": event.value,
            "currency": event.currency,
            "quantity": event.quantity,
            "recommendation_id": event.recommendation_id,
            "impression_id": event.impression_id,
            "item_ids": event.item_ids,
            "context": event.context,
            "consent": event.consent,
            "properties": properties_text(event),
        },
    )


def properties_text(event: Event) -> str:
    """Free properties as the JSON text that the payload keeps; TypeError when they are no JSON."""
    return orjson.dumps(event.properties).decode() if event.properties else ""


def decode_event(payload: bytes) -> Event:
    """The event of a payload; CorruptData when it is none."""
    values = decode_payload(EVENT, payload)
    values["item_ids"] = tuple(values["item_ids"])
    values["properties"] = orjson.loads(values["properties"]) if values["properties"] else {}
    return Event(**values)


def digest_of_id(external_id: str) -> int:
    """Signed 64 bits that stand for an id when what comes twice is dropped; never 0, which is never a duplicate."""
    return int.from_bytes(blake2b(external_id.encode(), digest_size=8).digest(), "little", signed=True) or 1


def uuid_of_text(text: str) -> str:
    """A UUID that always is the same for the same text: for senders whose ids are no UUIDs, and for dead letters."""
    return str(uuid5(_NAMESPACE, text))

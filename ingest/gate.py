"""The gate: what is posted becomes events in the contract's form, or dead letters with a reason one can act on.

Pure: no clock, no network. What was refused never keeps its neighbours out.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from contracts.dead_letter_contract import DeadLetter, letter_id_of, record_of_dead_letter
from contracts.event_contract import ANONYMOUS_PREFIX, SHOWN, Event, properties_text, record_of_event
from contracts.payloads import subject_of_kind
from contracts.records import EVENT, Record
from ingest.batch_split import split_batch
from ingest.event_clock import read_moment, read_sent_at
from ingest.field_rules import (
    read_consent,
    read_context,
    read_currency,
    read_event_id,
    read_event_type,
    read_id,
    read_item_ids,
    read_number,
    read_properties,
)
from ingest.refusals import MAX_EVENTS, MAX_PROPERTIES_BYTES, Refusal, refuse, shown
from ingest.type_rules import check_type

SCHEMA_VERSION = "schema_version"
# Fields that the server sets, and the one that a sender may add to those of the schema.
SET_BY_SERVER = frozenset({"received_at"})
FIELDS = frozenset(Event.__dataclass_fields__) - SET_BY_SERVER | {SCHEMA_VERSION}
_MAX_EVENT_ID_SHOWN = 64


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event, and the record that carries it."""

    event: Event
    record: Record


@dataclass(frozen=True, slots=True)
class Refused:
    """Why something is no event, and the dead letter that keeps it. `event_id` is as sent, "" when there is no text."""

    event_id: str
    reason: str
    detail: str
    stage: str
    record: Record


Verdict = Accepted | Refused


@dataclass(frozen=True, slots=True)
class Gate:
    """Checks events; safe to share between threads."""

    max_events: int = MAX_EVENTS

    def check(
        self, raw: object, *, received_at: int, sent_at: int | None = None, source: str = "", raw_bytes: bytes = b""
    ) -> Verdict:
        """One event, already parsed. Instants are microseconds since 1970.

        `sent_at` and `source` stand in for what the event does not say itself; `raw_bytes` are what a dead letter
        keeps, when the caller has them.
        """
        try:
            return _accept(raw, received_at, sent_at, source)
        except Refusal as refusal:
            return _refuse(refusal, raw, raw_bytes or _bytes_of(raw), received_at, sent_at, source)

    def check_batch(
        self, body: bytes, *, received_at: int, sent_at: int | None = None, source: str = ""
    ) -> list[Verdict]:
        """A body: an event, an array of events, or {"events": [...], "sent_at": ...}; a verdict for each, in order.

        `sent_at` and `source` stand in for what the body does not say itself. A body that cannot be cut into events,
        or has too many, gets one verdict as a whole.
        """
        batch = split_batch(body)
        try:
            if len(batch.pieces) > self.max_events:
                refuse("too_many_events", f"the body has {len(batch.pieces):,} events")
            if batch.strange_names:
                refuse("unknown_field", f"beside events the body has {', '.join(map(shown, batch.strange_names))}")
            if batch.sent_at is not None:
                sent_at = read_sent_at(_parse(batch.sent_at))
        except Refusal as refusal:
            return [_refuse(refusal, None, body, received_at, sent_at, source)]
        return [self._check_piece(piece, received_at, sent_at, source) for piece in batch.pieces]

    def _check_piece(self, piece: bytes, received_at: int, sent_at: int | None, source: str) -> Verdict:
        raw: object = None
        try:
            raw = _parse(piece)
            return _accept(raw, received_at, sent_at, source)
        except Refusal as refusal:
            return _refuse(refusal, raw, piece, received_at, sent_at, source)


def _parse(piece: bytes) -> object:
    try:
        return cast(object, orjson.loads(piece))
    except orjson.JSONDecodeError as error:
        refuse(
            "not_json", f"these bytes are no JSON: {error}" if piece else "there is nothing where an event should be"
        )


def _accept(raw: object, received_at: int, default_sent_at: object, default_source: str) -> Accepted:
    if type(raw) is not dict:
        refuse("not_an_event", f"this is {shown(raw)}")
    if not FIELDS.issuperset(raw) or SCHEMA_VERSION in raw:
        _check_names(raw)
    event, as_sent = _read_event(raw, received_at, default_sent_at, default_source)
    if not (event.user_id or event.anonymous_id):
        refuse("person_missing", "there is neither user_id nor anonymous_id")
    if event.user_id.startswith(ANONYMOUS_PREFIX):
        refuse("user_id_reserved", f"user_id is {shown(event.user_id)}")
    check_type(event)
    try:
        record = record_of_event(event, occurred_at_as_sent=as_sent)
    except UnicodeEncodeError as error:
        refuse("*_not_unicode", f"a text of it has {shown(error.object[error.start : error.end])}", "context")
    except TypeError as error:
        refuse("properties_not_json", f"properties cannot be written as JSON: {error}")
    if len(record.payload) > MAX_PROPERTIES_BYTES:
        size = len(properties_text(event).encode())
        if size > MAX_PROPERTIES_BYTES:
            refuse("properties_too_large", f"properties have {size:,} bytes")
    return Accepted(event, record)


def _read_event(
    raw: Mapping[str, Any], received_at: int, default_sent_at: object, default_source: str
) -> tuple[Event, int]:
    """The event, and its instant as sent."""
    get = raw.get
    event_id = read_event_id(get("event_id"))
    event_type = read_event_type(get("event_type"))
    sent = get("sent_at")
    moment = read_moment(get("occurred_at"), default_sent_at if sent is None else sent, received_at)
    impression_id = read_id("impression_id", get("impression_id"))
    event = Event(
        event_id,
        event_type,
        read_id("source", get("source")) or default_source,
        read_id("user_id", get("user_id")),
        read_id("anonymous_id", get("anonymous_id")),
        read_id("session_id", get("session_id")),
        read_id("item_id", get("item_id")),
        moment.occurred_at,
        moment.sent_at,
        received_at,
        read_number("value", get("value")),
        read_currency(get("currency")),
        read_number("quantity", get("quantity")),
        read_id("recommendation_id", get("recommendation_id")),
        impression_id or (event_id if event_type == SHOWN else ""),
        read_item_ids(get("item_ids")),
        read_context(get("context")),
        read_consent(get("consent")),
        read_properties(get("properties")),
    )
    return event, moment.as_sent


def _check_names(raw: Mapping[str, Any]) -> None:
    for name in raw:
        if name in SET_BY_SERVER:
            refuse("unknown_field", f"{name} is set by the server and cannot be sent")
        if name not in FIELDS:
            near = difflib.get_close_matches(str(name)[:_MAX_EVENT_ID_SHOWN], FIELDS, n=2)
            hint = f", near to {' and '.join(near)}" if near else ""
            refuse("unknown_field", f"field {shown(name)} is unknown{hint}")
    version = raw.get(SCHEMA_VERSION)
    if version is not None and (type(version) is not int or version not in subject_of_kind(EVENT).versions):
        known = ", ".join(map(str, subject_of_kind(EVENT).versions))
        refuse("schema_version_unknown", f"schema_version is {shown(version)}, and the server knows {known}")


def _refuse(
    refusal: Refusal, raw: object, raw_bytes: bytes, received_at: int, sent_at: int | None, source: str
) -> Refused:
    said = raw if isinstance(raw, dict) else {}
    event_id, version = said.get("event_id"), said.get(SCHEMA_VERSION)
    newest = subject_of_kind(EVENT).newest
    letter = DeadLetter(
        letter_id=letter_id_of(source, raw_bytes),
        received_at=received_at,
        reason=refusal.code,
        detail=refusal.detail.encode(errors="replace").decode(),
        stage=refusal.stage,
        schema_version=version if type(version) is int and 0 <= version < 2**31 else newest,
        source=source,
        raw=raw_bytes,
        sent_at=sent_at or 0,
    )
    id_as_sent = event_id[:_MAX_EVENT_ID_SHOWN] if isinstance(event_id, str) else ""
    return Refused(id_as_sent, letter.reason, letter.detail, letter.stage, record_of_dead_letter(letter))


def _bytes_of(raw: object) -> bytes:
    try:
        return orjson.dumps(raw, default=repr, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        return repr(raw).encode(errors="replace")

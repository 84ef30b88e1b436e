"""What a posted JSON body asks for; every field is checked, and unknown ones are refused with near names."""

import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from contracts.errors import BadInput
from contracts.event_contract import ANONYMOUS_PREFIX
from contracts.overlay import MAX_SESSION_EVENTS, SessionEvent
from contracts.user_state import MAX_EXCLUDED_ITEMS, MAX_ID_BYTES
from ingest.field_rules import read_event_type, read_id, read_number
from ingest.refusals import Refusal, shown
from ingest.time_units import read_instant
from models.item_filter import ItemFilter
from serving.asks import DEVICE_PARAMETER, LIMIT, PLACEMENT, REGION_PARAMETER, PersonAsk, RankAsk
from serving.left_out import now_ms
from serving.placements import MAX_LIMIT, SESSION, Placement, Placements

USER_ID, ANONYMOUS_ID, CONTEXT, EXCLUDE, FILTER, ITEMS = (
    "user_id",
    "anonymous_id",
    "context",
    "exclude",
    "filter",
    "items",
)
T = TypeVar("T")
PERSON_FIELDS = (USER_ID, ANONYMOUS_ID, SESSION, CONTEXT)
EVENT_FIELDS = ("event_id", "event_type", "item_id", "occurred_at", "value")
CONTEXT_FIELDS = (PLACEMENT, REGION_PARAMETER, DEVICE_PARAMETER)
MAX_BROUGHT_EVENTS = 500
MAX_RANKED_ITEMS = 500


def ask_of_body(document: object, placements: Placements) -> PersonAsk:
    """Check the body of POST /v1/recommendations; BadInput."""
    body = _object("the body", document, (*PERSON_FIELDS, LIMIT, EXCLUDE, FILTER))
    context = _object(CONTEXT, {} if body.get(CONTEXT) is None else body[CONTEXT], CONTEXT_FIELDS)
    placement = _placement(context, placements)
    return PersonAsk(
        user_id=_person(body),
        placement=placement,
        limit=_limit(body.get(LIMIT)) or placement.limit,
        region=_optional_id(f"{CONTEXT}.{REGION_PARAMETER}", context.get(REGION_PARAMETER)),
        device=_optional_id(f"{CONTEXT}.{DEVICE_PARAMETER}", context.get(DEVICE_PARAMETER)),
        events=_session(body.get(SESSION), placement),
        excluded=frozenset(_ids(EXCLUDE, body.get(EXCLUDE), MAX_EXCLUDED_ITEMS)),
        filter=_filter(body.get(FILTER), placement),
    )


def rank_of_body(document: object, placements: Placements) -> RankAsk:
    """Check the body of POST /v1/rank; BadInput."""
    body = _object("the body", document, (*PERSON_FIELDS, ITEMS))
    items = tuple(dict.fromkeys(_ids(ITEMS, body.get(ITEMS), MAX_RANKED_ITEMS)))
    if not items:
        raise BadInput(f"{ITEMS} is missing or empty; send the ids of 1 to {MAX_RANKED_ITEMS} items")
    return RankAsk(ask_of_body({name: body[name] for name in PERSON_FIELDS if name in body}, placements), items)


def _person(body: Mapping[str, Any]) -> str:
    user_id, anonymous_id = (_optional_id(name, body.get(name)) for name in (USER_ID, ANONYMOUS_ID))
    if not (user_id or anonymous_id):
        raise BadInput(f"there is neither {USER_ID} nor {ANONYMOUS_ID}; send one of them")
    return user_id or ANONYMOUS_PREFIX + anonymous_id


def _placement(context: Mapping[str, Any], placements: Placements) -> Placement:
    name = context.get(PLACEMENT)
    if name is None:
        return placements.default
    return placements.named(name if isinstance(name, str) else shown(name))


def _session(value: object, placement: Placement) -> tuple[SessionEvent, ...]:
    """The newest events of a session, oldest first."""
    events = _list(SESSION, value, MAX_BROUGHT_EVENTS)
    if events and SESSION not in placement.fields:
        raise BadInput(f"placement {placement.name} uses no {SESSION}; leave {SESSION} out, or name another placement")
    now = now_ms()
    read = [_event(f"{SESSION}[{place}]", event, now) for place, event in enumerate(events)]
    return tuple(sorted(read, key=lambda event: event.at_ms)[-MAX_SESSION_EVENTS:])


def _event(where: str, value: object, now: int) -> SessionEvent:
    fields = _object(where, value, EVENT_FIELDS)
    at = fields.get("occurred_at")
    micros = now * 1_000 if at is None else read_instant(at)
    if micros is None:
        raise BadInput(f"{where}.occurred_at is {shown(at)}; send seconds, ms, µs or ns since 1970, or ISO 8601")
    return SessionEvent(
        _optional_id(f"{where}.event_id", fields.get("event_id")),
        _checked(where, lambda: read_event_type(fields.get("event_type"))),
        _optional_id(f"{where}.item_id", fields.get("item_id")),
        max(0, min(micros // 1_000, now)),
        _checked(where, lambda: read_number("value", fields.get("value"))),
    )


def _filter(value: object, placement: Placement) -> str:
    if value is None:
        return ""
    if not placement.asks:
        raise BadInput(f"placement {placement.name} computes nothing on demand, so nothing can be filtered there")
    return ItemFilter.parse(value).canonical()


def _limit(value: object) -> int:
    if value is None:
        return 0
    if type(value) is not int or not 1 <= value <= MAX_LIMIT:
        raise BadInput(f"{LIMIT} is {shown(value)}; it takes a whole number from 1 to {MAX_LIMIT}")
    return value


def _ids(what: str, value: object, most: int) -> list[str]:
    ids = [_optional_id(f"{what}[{place}]", one) for place, one in enumerate(_list(what, value, most))]
    if "" in ids:
        raise BadInput(f"{what}[{ids.index('')}] is empty; ids have 1 to {MAX_ID_BYTES} bytes")
    return ids


def _optional_id(what: str, value: object) -> str:
    """An id, "" when it is absent or null."""
    return _checked("", lambda: read_id(what, value))


def _list(what: str, value: object, most: int) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadInput(f"{what} is {shown(value)}; send a JSON array")
    if len(value) > most:
        raise BadInput(f"{what} has {len(value):,} entries; send at most {most:,}")
    return value


def _object(what: str, value: object, known: Collection[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{what} is {shown(value)}; send a JSON object")
    for name in value:
        if name not in known:
            near = difflib.get_close_matches(str(name)[:64], known, n=2) or known
            raise BadInput(f"{what} has the field {shown(name)}, which is unknown; near ones are {', '.join(near)}")
    return value


def _checked(where: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except Refusal as refusal:
        raise BadInput(f"{where}: {refusal.detail}" if where else refusal.detail) from None

"""A person as one request sees them: what is stored, what their overlay adds, and what the request itself tells."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from contracts.event_contract import NOT_INTERESTED, PURCHASE
from contracts.lake import REGION, SEGMENT
from contracts.overlay import MAX_SESSION_EVENTS, Overlay, SessionEvent
from serving.asks import PersonAsk
from serving.decision import Facts
from serving.left_out import LeftOut, now_ms, read_overlay
from serving.list_store import PersonRecord
from serving.placements import SESSION

logger = logging.getLogger(__name__)

HIDING = (PURCHASE, NOT_INTERESTED)
NOBODY = Overlay(0)


@dataclass(frozen=True, slots=True)
class Visit:
    """What counts for one answer; of a forgotten person, nothing that was made before.

    `segment`, `region` and `events` (oldest first) are those that the place may use, or that the request gives;
    `session_ms` is the instant of the newest event that names an item, 0 when there is none or the session has ended.
    """

    stored: bytes | None
    is_known: bool
    segment: str
    region: str
    seq: int
    events: tuple[SessionEvent, ...]
    session_ms: int
    forgotten_ms: int
    left_out: LeftOut


def visit_of(ask: PersonAsk, record: PersonRecord, session_life_ms: int) -> Visit:
    """Lay the overlay and the request over what is stored."""
    now, overlay = now_ms(), read_overlay(record.overlay) or NOBODY
    generated_ms = record.pin.generated_epoch * 1_000 if record.pin else 0.0
    is_forgotten = overlay.forgotten_ms > 0 and generated_ms <= overlay.forgotten_ms
    events = _merged(overlay.events, ask.events) if SESSION in ask.placement.fields else ()
    is_live = bool(events) and events[-1].at_ms + session_life_ms > now
    brought = frozenset(event.item_id for event in ask.events if event.event_type in HIDING)
    profile = None if is_forgotten else record.profile
    known = _known_of(profile, ask.placement.fields)
    return Visit(
        stored=None if is_forgotten else record.stored,
        is_known=profile is not None,
        segment=known.get(SEGMENT, ""),
        region=ask.region or known.get(REGION, ""),
        seq=overlay.seq,
        events=events,
        session_ms=max((event.at_ms for event in events if event.item_id), default=0) if is_live else 0,
        forgotten_ms=overlay.forgotten_ms,
        left_out=LeftOut(overlay.gone_at(now) | brought, record.delisted.items, ask.excluded),
    )


def facts_of(ask: PersonAsk, record: PersonRecord, visit: Visit) -> Facts:
    """What the decision stands on."""
    return Facts(
        ask.placement,
        has_list=visit.stored is not None,
        list_ms=int(record.pin.generated_epoch * 1_000) if record.pin else 0,
        is_known=visit.is_known,
        session_ms=visit.session_ms,
        brings_session=any(event.item_id for event in ask.events),
        has_filter=bool(ask.filter),
    )


def _merged(kept: tuple[SessionEvent, ...], brought: Iterable[SessionEvent]) -> tuple[SessionEvent, ...]:
    """Both, oldest first and bounded; an event that was posted and brought counts once."""
    known = {event.event_id for event in kept}
    new = [event for event in brought if not event.event_id or event.event_id not in known]
    return tuple(sorted((*kept, *new), key=lambda event: event.at_ms)[-MAX_SESSION_EVENTS:]) if new else kept


def _known_of(profile: bytes | None, permitted: frozenset[str]) -> dict[str, str]:
    try:
        known = orjson.loads(profile) if profile else {}
        return {name: str(known[name]) for name in (SEGMENT, REGION) if name in permitted and known.get(name)}
    except (ValueError, AttributeError) as error:
        logger.error("profile_corrupt %r: %s", profile, error)
        return {}

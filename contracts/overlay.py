"""The overlay: what happened to a person since the hour. Written by events, obeyed by every place that answers.

Its first byte is the route flag, which alone says whether stored bytes may be handed through; JSON follows. A session
that names an item, items gone and a forgetting make a decision due.
`docs/user-state.md` tells the whole; `ingest.hot_state` writes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from contracts.errors import CorruptData

HAND_THROUGH, DECIDE = b"0", b"1"
MAX_SESSION_EVENTS = 50
MAX_GONE_ITEMS = 1_000
SEQ, EVENTS, GONE, FORGOTTEN = "seq", "events", "gone", "forgotten"
_HEAD = b'{"seq":'  # what follows the flag, always; so the number is read without parsing the rest
MAX_SEQ_DIGITS = 15


class SessionEvent(NamedTuple):
    """One event of a session, in the order of the overlay's arrays; `at_ms` is since 1970."""

    event_id: str
    event_type: str
    item_id: str
    at_ms: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Overlay:
    """What an overlay says; events are newest last, `gone` is until when (ms) an item stays away."""

    seq: int
    events: tuple[SessionEvent, ...] = ()
    gone: Mapping[str, int] = field(default_factory=dict)
    forgotten_ms: int = 0

    def gone_at(self, now_ms: int) -> frozenset[str]:
        """Items that must not be shown at that instant."""
        return frozenset(item for item, until_ms in self.gone.items() if until_ms > now_ms)


def hands_through(raw: bytes | None) -> bool:
    """Whether this overlay, or its absence, leaves stored bytes as they are."""
    return raw is None or raw[:1] == HAND_THROUGH


def sequence_of(raw: bytes) -> str:
    """The sequence number in its decimal digits, "" when the value is no overlay."""
    if raw[1:8] != _HEAD:
        return ""
    end = 8
    while end < 8 + MAX_SEQ_DIGITS and raw[end : end + 1].isdigit():
        end += 1
    return raw[8:end].decode("ascii")


def decode_overlay(raw: bytes) -> Overlay:
    """Read an overlay; CorruptData when it is something else."""
    try:
        if raw[:1] not in (HAND_THROUGH, DECIDE):
            raise ValueError(f"its first byte is {raw[:1]!r}")
        body = orjson.loads(raw[1:])
        events = tuple(_event_of(*row) for row in body.get(EVENTS) or ())
        gone = {str(item): int(until_ms) for item, until_ms in (body.get(GONE) or {}).items()}
        return Overlay(int(body[SEQ]), events, gone, int(body.get(FORGOTTEN) or 0))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptData(f"overlay {raw[:60]!r} cannot be read ({error!r}); it ends by its life") from error


def _event_of(event_id: str, event_type: str, item_id: str, at_ms: int, value: float | None) -> SessionEvent:
    """A row of JSON, its kinds made sure of."""
    number = None if value is None else float(value)
    return SessionEvent(str(event_id), str(event_type), str(item_id), int(at_ms), number)

"""Dead letters go through the gate once more and onto the stream; twice is the same as once."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import cast

import orjson

from contracts.dead_letter_contract import DeadLetter, decode_dead_letter
from contracts.event_contract import uuid_of_text
from contracts.records import Record
from ingest.gate import Accepted, Gate, Refused, Verdict
from ingest.stream import Producer

APPEND_SECONDS = 10.0
_APPENDED_AT_ONCE = 500
# A letter is no request: a body that had too many events may be replayed whole.
_MAX_EVENTS = 1_000_000
_NO_USABLE_ID = ("event_id_missing", "event_id_not_text", "event_id_not_uuid")


@dataclass(slots=True)
class Replayed:
    """Events that came new, events that were there already, and what was refused again, by letter."""

    new: int = 0
    duplicates: int = 0
    refused: list[tuple[str, Refused]] = field(default_factory=list)


def replay(
    letters: Iterable[DeadLetter],
    producer: Producer,
    *,
    mended: bytes | None = None,
    on_letter: Callable[[int], None] = lambda done: None,
) -> Replayed:
    """Bring what the gate now takes onto the stream; `mended` are the bytes to take instead of a letter's own.

    Times are judged as received when the letter was. An event without a usable id gets one of its letter and place.
    What the producer raises passes through; beginning again is safe.
    """
    outcome, held = Replayed(), list[Record]()
    for done, letter in enumerate(letters, start=1):
        for verdict in _check(letter if mended is None else replace(letter, raw=mended)):
            if isinstance(verdict, Accepted):
                held.append(verdict.record)
            else:
                outcome.refused.append((letter.letter_id, verdict))
        if len(held) >= _APPENDED_AT_ONCE:
            _append(held, producer, outcome)
        on_letter(done)
    _append(held, producer, outcome)
    return outcome


def _append(held: list[Record], producer: Producer, outcome: Replayed) -> None:
    while held:
        some = held[:_APPENDED_AT_ONCE]
        news = producer.append(some, time.monotonic() + APPEND_SECONDS)
        outcome.new += sum(news)
        outcome.duplicates += len(news) - sum(news)
        del held[: len(some)]


def _check(letter: DeadLetter) -> list[Verdict]:
    gate = Gate(max_events=_MAX_EVENTS)
    verdicts = gate.check_batch(
        letter.raw, received_at=letter.received_at, sent_at=letter.sent_at or None, source=letter.source
    )
    return [
        _check_with_id(gate, letter, place, verdict)
        if isinstance(verdict, Refused) and verdict.reason in _NO_USABLE_ID
        else verdict
        for place, verdict in enumerate(verdicts)
    ]


def _check_with_id(gate: Gate, letter: DeadLetter, place: int, refused: Refused) -> Verdict:
    """An event once more, with an id that is always the same for its letter and place."""
    piece = decode_dead_letter(refused.record.payload)
    raw = cast(dict[str, object], orjson.loads(piece.raw))
    return gate.check(
        raw | {"event_id": uuid_of_text(f"{letter.letter_id}:{place}")},
        received_at=letter.received_at,
        sent_at=piece.sent_at or None,
        source=letter.source,
        raw_bytes=piece.raw,
    )

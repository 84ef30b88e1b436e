"""100,000 events whose validity is known by construction: each is taken or refused as it must be."""

import json
import time
from collections import Counter
from random import Random

from contracts.dead_letter_contract import decode_dead_letter
from contracts.event_contract import decode_event
from contracts.records import DEAD_LETTER
from ingest.gate import Accepted, Gate
from ingest.memory_stream import MemoryStream
from tests.ingest.known_events import BREAKS, NOW, RUBBISH, known_piece

SENT_COUNT, BATCH_SIZE, REPEATED_SHARE = 100_000, 50, 0.05


def test_every_valid_event_is_taken_and_every_other_is_refused_for_its_reason() -> None:
    rng, gate, stream = Random(20260131), Gate(), MemoryStream()
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    sent: list[tuple[bytes, str]] = []
    for _ in range(SENT_COUNT // BATCH_SIZE):
        pieces = [
            rng.choice(sent) if sent and rng.random() < REPEATED_SHARE else known_piece(rng, valid_share=0.7)
            for _ in range(BATCH_SIZE)
        ]
        sent.extend(pieces[:2])
        verdicts = gate.check_batch(b"[" + b",\n".join(piece for piece, _ in pieces) + b"]", received_at=NOW)
        assert len(verdicts) == len(pieces)
        news = stream.append([verdict.record for verdict in verdicts], time.monotonic() + 1)
        for (piece, reason), verdict, is_new in zip(pieces, verdicts, news, strict=True):
            assert ("" if isinstance(verdict, Accepted) else verdict.reason) == reason, piece
            counts["dead letter" if reason else "accepted" if is_new else "duplicate"] += 1
            reasons[reason] += 1
    assert sum(counts.values()) == SENT_COUNT
    assert all(counts[name] > 1_000 for name in ("accepted", "duplicate", "dead letter"))
    assert set(reasons) == {"", *(reason for reason, _ in (*BREAKS, *RUBBISH))}
    entries = [entry.record for entry in stream.entries_after(0, SENT_COUNT, 0)]
    assert len(entries) == counts["accepted"] + counts["dead letter"]
    ids = [decode_event(record.payload).event_id for record in entries if record.kind != DEAD_LETTER]
    assert len(ids) == len(set(ids)) == counts["accepted"]
    letters = [decode_dead_letter(record.payload).reason for record in entries if record.kind == DEAD_LETTER]
    assert Counter(letters) == {reason: count for reason, count in reasons.items() if reason}


def test_what_was_taken_says_what_was_sent() -> None:
    rng, gate = Random(7), Gate()
    for _ in range(2_000):
        piece, reason = known_piece(rng, valid_share=1.0)
        raw = json.loads(piece)
        (verdict,) = gate.check_batch(piece, received_at=NOW, source="key 3")
        assert isinstance(verdict, Accepted)
        assert not reason
        event = verdict.event
        assert decode_event(verdict.record.payload) == event
        for name in ("event_type", "user_id", "anonymous_id", "session_id", "item_id", "recommendation_id"):
            assert getattr(event, name) == (raw.get(name) or "")
        assert (event.value, event.quantity) == (raw.get("value"), raw.get("quantity"))
        assert event.currency == (raw.get("currency") or "").upper()
        assert event.properties == (raw.get("properties") or {})
        assert event.item_ids == tuple(raw.get("item_ids") or ())
        assert event.context == {name: text for name, text in (raw.get("context") or {}).items() if text}
        assert event.source == (raw.get("source") or "key 3")
        assert NOW - 3 * 86_400_000_000 <= event.occurred_at <= NOW

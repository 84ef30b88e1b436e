"""Reading thousands of payloads at once says the same as reading each by itself, and nothing odd is lost."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contracts.dead_letter_contract import DeadLetter, record_of_dead_letter
from contracts.entity_contract import Item, Tombstone, User, record_of_item, record_of_tombstone, record_of_user
from contracts.event_contract import Event, encode_event, record_of_event
from contracts.lake import DEAD_LETTERS, EVENTS, IMPRESSIONS, ITEMS, TOMBSTONES, USERS
from contracts.records import EVENT, Record
from ingest.archive_rows import UNREADABLE_REASON, rows_of
from ingest.avro_columns import AvroRows, Unreadable
from ingest.record_frames import UNREADABLE
from ingest.stream import Entry

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT = st.text(max_size=12)
NUMBER = st.none() | st.floats(allow_nan=False)
EVENT_VALUES = st.builds(
    Event,
    event_id=st.text(min_size=1, max_size=70),
    event_type=st.sampled_from(["view", "purchase", "impression"]),
    source=TEXT,
    user_id=TEXT,
    anonymous_id=TEXT,
    session_id=TEXT,
    item_id=TEXT,
    occurred_at=st.integers(0, 2**52),
    sent_at=st.integers(-(2**60), 2**60),
    received_at=st.integers(0, 2**52),
    value=NUMBER,
    currency=TEXT,
    quantity=NUMBER,
    recommendation_id=TEXT,
    impression_id=TEXT,
    item_ids=st.lists(TEXT, max_size=5).map(tuple),
    context=st.dictionaries(TEXT, TEXT, max_size=4),
    consent=st.dictionaries(TEXT, st.booleans(), max_size=2),
    properties=st.dictionaries(
        TEXT, st.integers(-(2**53), 2**53) | TEXT | st.none() | st.lists(TEXT, max_size=1), max_size=3
    ),
)


def entries(*records: Record) -> list[Entry]:
    return [Entry(f"1-{number}", record, 1_800_000_000.0) for number, record in enumerate(records)]


def expected_event(event: Event) -> dict[str, Any]:
    """A row as the contract of the lake words it, one field after the other."""
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "user_id": event.user_id or None,
        "item_id": event.item_id or None,
        "occurred_at": EPOCH + timedelta(microseconds=event.occurred_at),
        "value": event.value,
        "quantity": event.quantity,
        "session_id": event.session_id or None,
        "context": expected_context(event, "recommendation_id", "impression_id", "anonymous_id", "source", "currency"),
    }


def expected_impression(event: Event) -> dict[str, Any]:
    context = expected_context(event, "source")
    return {
        "impression_id": event.impression_id or event.event_id,
        "recommendation_id": event.recommendation_id or None,
        "user_id": event.user_id or None,
        "anonymous_id": event.anonymous_id or None,
        "placement": dict(context or ()).get("placement"),
        "occurred_at": EPOCH + timedelta(microseconds=event.occurred_at),
        "item_ids": list(event.item_ids) or None,
        "context": context,
    }


def expected_context(event: Event, *fields: str) -> list[tuple[str, str]] | None:
    scalars = {name: str(value) for name, value in event.properties.items() if isinstance(value, str | int)}
    own = {name: getattr(event, name) for name in fields}
    merged: Mapping[str, str] = scalars | {k: v for part in (event.context, own) for k, v in part.items() if v}
    return sorted((name, text) for name, text in merged.items() if text) or None


@settings(deadline=None)
@given(st.lists(EVENT_VALUES, min_size=1, max_size=8))
def test_events_and_impressions_are_what_was_encoded(events: list[Event]) -> None:
    rows = rows_of(entries(*map(record_of_event, events)))
    of_events = rows[EVENTS.name].to_pylist() if EVENTS.name in rows else []
    of_impressions = rows[IMPRESSIONS.name].to_pylist() if IMPRESSIONS.name in rows else []
    assert of_events == [expected_event(one) for one in events if one.event_type != "impression"]
    assert of_impressions == [expected_impression(one) for one in events if one.event_type == "impression"]
    assert set(rows) <= {EVENTS.name, IMPRESSIONS.name}


def plain_event(number: int, **other: Any) -> Event:
    fields = {"source": "web", "user_id": f"u{number}", "anonymous_id": "", "session_id": "", "item_id": "i"}
    times = {"occurred_at": number, "sent_at": 0, "received_at": 0}
    return Event(event_id=f"e{number}", event_type="view", **{**fields, **times, **other})


@settings(deadline=None)
@given(st.data())
def test_broken_bytes_become_dead_letters_and_spare_their_neighbours(data: st.DataObject) -> None:
    good = [plain_event(number, context={"a": "b" * 90}) for number in range(3)]
    whole = encode_event(plain_event(7, value=2.5, context={"k": "v"}))
    cut = data.draw(st.integers(0, len(whole)))
    broken = whole[:cut] + data.draw(st.sampled_from([b"", b"\xff" * 20]))
    assume(broken != whole)
    records = [record_of_event(one) for one in good]
    records.insert(data.draw(st.integers(0, 3)), Record(EVENT, "u", broken))
    rows = rows_of(entries(*records))
    survivors = rows[EVENTS.name].to_pylist()
    assert [row for row in survivors if row["event_id"] != "e7"] == [expected_event(one) for one in good]
    (letter,) = rows[DEAD_LETTERS.name].to_pylist()
    assert letter["raw"] == broken
    assert (letter["reason"], letter["stage"]) == (UNREADABLE_REASON, "archive")


def test_text_that_is_no_utf8_is_a_dead_letter() -> None:
    bad = encode_event(plain_event(1)).replace(b"web", b"\xff\xfe\xfd")
    rows = rows_of(entries(record_of_event(plain_event(2)), Record(EVENT, "u", bad)))
    assert [row["event_id"] for row in rows[EVENTS.name].to_pylist()] == ["e2"]
    assert [row["raw"] for row in rows[DEAD_LETTERS.name].to_pylist()] == [bad]


def test_other_kinds_keep_their_order_and_strangers_are_kept() -> None:
    letter = DeadLetter("l1", 5, "bad_time", "too old", "meaning", 1, "web", b"\x00raw")
    rows = rows_of(
        entries(
            record_of_item(Item("i", "tea", 2.5, {"b": "2", "a": "1"})),
            record_of_item(Item("i", attributes={"available": "false"})),
            record_of_user(User("u", "north")),
            record_of_tombstone(Tombstone("u", 7)),
            record_of_dead_letter(letter),
            Record(UNREADABLE, "", b"whatever"),
        )
    )
    assert rows[ITEMS.name].to_pylist() == [
        {"item_id": "i", "category": "tea", "price": 2.5, "attributes": [("a", "1"), ("b", "2")]},
        {"item_id": "i", "category": None, "price": None, "attributes": [("available", "false")]},
    ]
    assert rows[USERS.name].to_pylist() == [{"user_id": "u", "region": "north", "attributes": None}]
    assert rows[TOMBSTONES.name].to_pylist() == [{"user_id": "u", "forgotten_at": EPOCH + timedelta(microseconds=7)}]
    own, strange = sorted(rows[DEAD_LETTERS.name].to_pylist(), key=lambda row: str(row["offset"]))
    assert own == {
        "letter_id": "l1",
        "received_at": EPOCH + timedelta(microseconds=5),
        "sent_at": EPOCH,
        "reason": "bad_time",
        "detail": "too old",
        "stage": "meaning",
        "schema_version": 1,
        "source": "web",
        "offset": "1-4",
        "raw": b"\x00raw",
    }
    assert (strange["reason"], strange["offset"], strange["raw"]) == (UNREADABLE_REASON, "1-5", b"whatever")


def test_a_type_that_cannot_be_read_at_once_is_said() -> None:
    with pytest.raises(Unreadable, match="fixed"):
        AvroRows([b"\x01"], [{"name": "x", "type": {"type": "fixed", "size": 2}}])


def test_no_entries_are_no_rows() -> None:
    assert rows_of([]) == {}
    assert isinstance(rows_of(entries(record_of_event(plain_event(1))))[EVENTS.name], pa.Table)

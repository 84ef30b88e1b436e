"""Events for the archiver, and a look at what became of them."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.event_contract import Event, record_of_event
from contracts.lake import EVENTS
from contracts.records import Record
from contracts.settings import Settings
from ingest.producers import open_producer
from tests.archive_and_die import lake_of
from tests.ingest.lakes import rows_of

SECONDS = 15.0
NOON = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=20)


def event(number: int, *, at: datetime = NOON, event_type: str = "view", **other: Any) -> Record:
    """A record of an event that differs by its number, which is its id."""
    occurred_at = int(at.timestamp() * 1_000_000) + number
    person = {"user_id": f"u{number % 100}", "anonymous_id": "", "session_id": "s"}
    fields: dict[str, Any] = {"source": "web", "item_id": f"i{number % 50}", **person}
    return record_of_event(
        Event(
            event_id=f"e{number:07d}",
            event_type=event_type,
            occurred_at=occurred_at,
            sent_at=occurred_at,
            received_at=occurred_at,
            **fields | other,
        )
    )


def append(settings: Settings, *records: Record) -> list[bool]:
    """Append to the stream that the settings name."""
    producer = open_producer(settings)
    try:
        return producer.append(records, time.monotonic() + SECONDS)
    finally:
        producer.close()


def event_counts(settings: Settings) -> Counter[str]:
    """How often each event lies in the lake."""
    return Counter(row["event_id"] for row in rows_of(EVENTS, lake_of(settings)))


def once_each(*numbers: int) -> Counter[str]:
    """What `event_counts` is when each of these events lies there once."""
    return Counter(f"e{number:07d}" for number in numbers)

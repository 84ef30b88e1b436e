"""Hot state for a server of lists that came back empty: what was posted lately is brought from the lake once more.

Every step bears to be repeated, because events count once by their id. Imported events never had a hot state.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds

from contracts.entity_contract import NOT_AVAILABLE
from contracts.event_contract import NOT_INTERESTED, PURCHASE, Event
from contracts.lake import (
    ANONYMOUS_ID,
    ATTRIBUTES,
    AVAILABLE,
    CONTEXT,
    EVENT_ID,
    EVENT_TYPE,
    EVENTS,
    FORGOTTEN_AT,
    ITEM_ID,
    ITEMS,
    OCCURRED_AT,
    SESSION_ID,
    SOURCE,
    TOMBSTONES,
    USER_ID,
    VALUE,
)
from contracts.lake_notes import archived_until
from contracts.settings import Layout, Settings
from ingest.delisting import delist
from ingest.hot_state import HotState
from ingest.instants import to_microseconds
from ingest.redis_guard import Store
from ingest.schemas import EVENTS_SCHEMA
from ingest.snapshots import read_snapshot

BATCH_EVENTS, BATCH_SECONDS = 200, 5.0
CATCH_UP_SECONDS, POLL_SECONDS = 30.0, 0.2


def restore(settings: Settings, store: Store, now: datetime) -> int:
    """Bring back sessions, hidden and delisted items and forgettings; how many events. RedisFailure."""
    lake, state = Layout(settings.root).lake, HotState(store, settings)
    gone = [row[ITEM_ID] for row in read_snapshot(ITEMS, lake).to_pylist() if _is_delisted(row)]
    if gone:
        delist(store, gone, (), time.monotonic() + BATCH_SECONDS)
    since = now - timedelta(seconds=settings.list_ttl_seconds)
    for row in read_snapshot(TOMBSTONES, lake).to_pylist():
        if row[FORGOTTEN_AT] > since:
            forgotten_ms = to_microseconds(row[FORGOTTEN_AT]) // 1_000
            state.forget(row[USER_ID], forgotten_ms, time.monotonic() + BATCH_SECONDS)
    events, count = posted_events(lake, settings, now), 0
    while batch := list(islice(events, BATCH_EVENTS)):
        state.apply(batch, time.monotonic() + BATCH_SECONDS)
        count += len(batch)
    return count


def posted_events(lake: Path, settings: Settings, now: datetime) -> Iterator[Event]:
    """Events whose hot state may still count, oldest hour first: live sessions, purchases and dismissals."""
    bought = now - timedelta(hours=settings.bought_hidden_hours)
    dismissed = now - timedelta(days=settings.dismissed_hidden_days)
    session = now - timedelta(minutes=settings.session_ttl_minutes)
    kind, at = ds.field(EVENT_TYPE), ds.field(OCCURRED_AT)
    wanted = (at >= session) | ((kind == PURCHASE) & (at >= bought)) | (kind == NOT_INTERESTED)
    hour = min(bought, dismissed, session).replace(minute=0, second=0, microsecond=0)
    while hour <= now + timedelta(hours=1):
        folder = EVENTS.partition(lake, f"{hour:%Y-%m-%d}", f"{hour:%H}")
        if folder.exists():
            rows = ds.dataset(folder, schema=EVENTS_SCHEMA, format="parquet").to_table(filter=wanted)
            yield from (
                _event_of(row) for row in rows.filter(pc.is_valid(rows[CONTEXT])).to_pylist() if _is_posted(row)
            )
        hour += timedelta(hours=1)


def await_archiver(lake: Path, now: datetime) -> None:
    """Wait, not for long, until the lake has what was posted before `now`."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while (until := archived_until(lake)) is not None and until < now and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _is_delisted(item: dict[str, Any]) -> bool:
    return dict(item[ATTRIBUTES] or ()).get(AVAILABLE) == NOT_AVAILABLE


def _is_posted(row: dict[str, Any]) -> bool:
    return SOURCE in dict(row[CONTEXT])


def _event_of(row: dict[str, Any]) -> Event:
    context = dict(row[CONTEXT])
    texts = (row[EVENT_TYPE], context[SOURCE], row[USER_ID] or "", context.get(ANONYMOUS_ID, ""), row[SESSION_ID] or "")
    at = to_microseconds(row[OCCURRED_AT].astimezone(UTC))
    return Event(row[EVENT_ID], *texts, row[ITEM_ID] or "", at, 0, at, row[VALUE])

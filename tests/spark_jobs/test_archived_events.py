"""From records on the stream through the archiver's files to clean events and attributions: both sides agree."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from contracts.answers import recommendation_id
from contracts.entity_contract import Item, Tombstone, record_of_item, record_of_tombstone
from contracts.event_contract import Event, record_of_event
from contracts.intervals import Interval
from contracts.lake import (
    ATTRIBUTIONS,
    AVAILABLE,
    CLEAN_EVENTS,
    CLICKED_AT,
    EVENT_ID,
    IMPRESSION_ID,
    ITEM_ID,
    POSITION,
    PURCHASED_AT,
    SOURCE,
)
from contracts.lake_notes import dirty_hours
from contracts.records import Record
from ingest.archiver import Archiver
from ingest.memory_stream import MemoryConsumer, MemoryStream
from models.tables import read_partition
from spark_jobs import build_attributions, clean_events, seal
from spark_jobs.catalogue import unavailable_items
from spark_jobs.context import JobContext
from spark_jobs.late_hours import settle
from tests.spark_jobs.running import context_of
from tests.worlds import small_settings

pytestmark = pytest.mark.spark
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
HOUR = Interval.ending_at(NOW - timedelta(hours=2))
HERS = recommendation_id(f"{Interval.ending_at(HOUR.start_at).key}.3", "ann")


def record(name: str, kind: str, minute: int, *, user: str = "ann", item: str = "", **fields: Any) -> Record:
    at = int((HOUR.start_at + timedelta(minutes=minute)).timestamp() * 1e6)
    fields = {"anonymous_id": "", "session_id": ""} | fields
    event = Event(
        name, kind, "web", user_id=user, item_id=item, occurred_at=at, sent_at=at, received_at=at, **fields
    )  # fmt: skip
    return record_of_event(event)


def archived(root: Path, stream: MemoryStream, *records: Record) -> None:
    stream.append(records, time.monotonic() + 5)
    Archiver(MemoryConsumer(stream), small_settings(root)).run_once()


def cleaned(context: JobContext) -> list[str]:
    clean_events.run(context)
    return sorted(read_partition(CLEAN_EVENTS, context.lake, f"{HOUR.start_at:%Y-%m-%d}")[EVENT_ID].to_pylist())


def test_what_was_posted_is_what_the_hour_reads(tmp_path: Path, spark: SparkSession) -> None:
    context, stream = context_of(tmp_path, spark, HOUR), MemoryStream()
    at = (HOUR.start_at + timedelta(minutes=30)).timestamp() * 1e6
    archived(
        tmp_path,
        stream,
        record("shown", "impression", 1, item_ids=("tea", "jam"), recommendation_id=HERS, impression_id="i1"),
        record("click", "click", 2, item="jam", recommendation_id=HERS, impression_id="i1"),
        record("bought", "purchase", 3, item="jam", value=2.5),
        record("visitor", "click", 2, user="", item="tea", anonymous_id="v-1"),
        record("search", "search", 2, properties={"query": "jam"}),
        record("forgotten", "purchase", 3, user="bob", item="tea"),
        record_of_tombstone(Tombstone("bob", int(at))),
        record_of_item(Item("kite", attributes={AVAILABLE: "false"})),
    )
    seal.run(context)
    assert cleaned(context) == ["bought", "click"]
    assert unavailable_items(context.lake) == {"kite"}
    build_attributions.run(context)
    rows = read_partition(ATTRIBUTIONS, context.lake, HOUR.key).to_pylist()
    assert [(row[IMPRESSION_ID], row[ITEM_ID], row[POSITION], row[SOURCE]) for row in rows] == [
        ("i1", "tea", 1, "head"),
        ("i1", "jam", 2, "head"),
    ]
    assert [row[CLICKED_AT] and row[CLICKED_AT].minute for row in rows] == [None, 2]
    assert [row[PURCHASED_AT] and row[PURCHASED_AT].minute for row in rows] == [None, 3]


def test_a_late_event_marks_its_hour_until_the_hour_is_made_again(tmp_path: Path, spark: SparkSession) -> None:
    context, stream = context_of(tmp_path, spark, HOUR), MemoryStream()
    archived(tmp_path, stream, record("on-time", "purchase", 3, item="tea"))
    seal.run(context)
    assert (cleaned(context), dirty_hours(context.lake)) == (["on-time"], {})
    archived(tmp_path, stream, record("late", "purchase", 4, item="tea"))
    settle(context)  # made before the late event came
    assert list(dirty_hours(context.lake)) == [HOUR.key]
    seal.run(context)
    assert cleaned(context) == ["late", "on-time"]
    settle(context)
    assert dirty_hours(context.lake) == {}

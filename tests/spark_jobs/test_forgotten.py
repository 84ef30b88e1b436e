"""What a forgotten person did up to that instant is in no day and no list; what they did after it counts."""

from datetime import datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts.features import USER_STATS_TABLE
from contracts.intervals import Interval
from contracts.lake import CLEAN_EVENTS, EVENT_ID, INTERACTIONS, ITEM_ID, ITEM_IDS, LISTS, POPULAR, SEGMENTS, USER_ID
from contracts.manifest import FILE_NAME, Manifest
from models.tables import read_partition
from spark_jobs import clean_events
from tests.spark_jobs.running import UP_TO_LISTS, context_of, rows_of, run_jobs
from tests.worlds import INTERVAL, World, at_utc, event_row, item_row, user_row, write_tombstones

pytestmark = pytest.mark.spark
YESTERDAY, TODAY = "2026-01-30", "2026-01-31"
FORGOTTEN_AT = at_utc("2026-01-31T06:00:00")
EVENTS = (
    event_row("y-ann", "ann", "tea", at=at_utc("2026-01-30T09:00:00")),
    event_row("y-bob", "bob", "tea", at=at_utc("2026-01-30T09:00:00")),
    event_row("b-bob", "bob", "jam", at=at_utc("2026-01-29T09:00:00")),
    event_row("t-ann", "ann", "milk", at=FORGOTTEN_AT),
    event_row("t-bob", "bob", "milk", at=at_utc("2026-01-31T06:00:00")),
    event_row("n-ann", "ann", "jam", at=at_utc("2026-01-31T06:00:00.000001")),
)


def days_of(root: Path) -> dict[str, set[str]]:
    folders = CLEAN_EVENTS.path(root / "lake").glob("date=*")
    return {
        day: set(read_partition(CLEAN_EVENTS, root / "lake", day)[EVENT_ID].to_pylist())
        for day in sorted(folder.name.partition("=")[2] for folder in folders)
    }


def manifest_of(root: Path, day: str) -> Manifest:
    return Manifest.read(CLEAN_EVENTS.partition(root / "lake", day), made_by="")


def written_at(root: Path, day: str) -> float:
    (data,) = CLEAN_EVENTS.partition(root / "lake", day).glob("*.parquet")
    return data.stat().st_mtime_ns


def test_days_with_something_to_forget_are_cleaned_again_and_others_are_left(
    tmp_path: Path, spark: SparkSession
) -> None:
    World(EVENTS, (), ()).write(tmp_path)
    clean_events.run(context_of(tmp_path, spark))
    before = {day: written_at(tmp_path, day) for day in days_of(tmp_path)}
    write_tombstones(tmp_path, {"ann": FORGOTTEN_AT, "nobody": FORGOTTEN_AT})
    clean_events.run(context_of(tmp_path, spark))
    assert days_of(tmp_path) == {"2026-01-29": {"b-bob"}, YESTERDAY: {"y-bob"}, TODAY: {"t-bob", "n-ann"}}
    assert [day for day in before if written_at(tmp_path, day) == before[day]] == ["2026-01-29"]
    assert len({manifest_of(tmp_path, day).inputs["tombstones"] for day in before}) == 1
    again = {day: written_at(tmp_path, day) for day in before}
    clean_events.run(context_of(tmp_path, spark))
    assert {day: written_at(tmp_path, day) for day in before} == again


def test_a_day_cleaned_under_tombstones_is_what_forgetting_afterwards_makes_of_it(
    tmp_path: Path, spark: SparkSession
) -> None:
    digests = []
    for name, forgotten_first in (("first", True), ("after", False)):
        root = World(EVENTS, (), ()).write(tmp_path / name)
        if not forgotten_first:
            clean_events.run(context_of(root, spark))
        write_tombstones(root, {"ann": FORGOTTEN_AT})
        clean_events.run(context_of(root, spark))
        digests.append([(manifest_of(root, day).digest, manifest_of(root, day).inputs) for day in days_of(root)])
    assert digests[0] == digests[1]


def test_forgetting_one_of_two_events_with_one_id_does_not_bring_the_other_back(
    tmp_path: Path, spark: SparkSession
) -> None:
    doubles = (
        event_row("same", "ann", "tea", at=at_utc("2026-01-31T05:00:00")),
        event_row("same", "bob", "tea", at=at_utc("2026-01-31T05:30:00")),
    )
    World(doubles, (), ()).write(tmp_path)
    write_tombstones(tmp_path, {"ann": FORGOTTEN_AT})
    clean_events.run(context_of(tmp_path, spark))
    assert manifest_of(tmp_path, TODAY).rows == 0
    assert (CLEAN_EVENTS.partition(tmp_path / "lake", TODAY) / FILE_NAME).exists()


def shop(root: Path, spark: SparkSession, forgotten: dict[str, datetime]) -> dict[str, list[object]]:
    """Tables of an hour in which only ann bought kites."""
    at = at_utc("2026-01-30T09:00:00")
    events = [
        event_row(f"{user}-{item}", user, item, at=at) for user in ("bob", "cat", "ann") for item in ("tea", "milk")
    ]
    kites = [event_row(f"kite-{number}", "ann", "kite", at=at) for number in range(9)]
    items = tuple(item_row(item, "food", 1.0) for item in ("tea", "milk", "kite"))
    World((*events, *kites), items, (user_row("ann", "north"), user_row("new", "south"))).write(root)
    write_tombstones(root, forgotten)
    context = context_of(root, spark, Interval.of_key(INTERVAL.key), head_share=1.0, als_factors=4)
    run_jobs(context, UP_TO_LISTS)
    users = (INTERACTIONS, USER_STATS_TABLE, SEGMENTS, LISTS)
    found: dict[str, list[object]] = {
        table.name: sorted({row[USER_ID] for row in rows_of(context, table)}) for table in users
    }
    found["bought"] = sorted({row[ITEM_ID] for row in rows_of(context, INTERACTIONS)})
    found["popular"] = sorted({item for row in rows_of(context, POPULAR) for item in row[ITEM_IDS]})
    return found


def test_a_forgotten_person_is_in_no_list_profile_segment_or_popular_count(
    with_ranker: Path, spark: SparkSession
) -> None:
    found = shop(with_ranker, spark, {"ann": FORGOTTEN_AT})
    assert found == {
        "interactions": ["bob", "cat"],
        "user_stats": ["bob", "cat"],
        "segments": ["bob", "cat", "new"],
        "lists": ["bob", "cat"],
        "bought": ["milk", "tea"],
        "popular": ["milk", "tea"],
    }


def test_a_person_forgotten_before_they_came_counts_like_anybody(with_ranker: Path, spark: SparkSession) -> None:
    found = shop(with_ranker, spark, {"ann": at_utc("2026-01-30T08:59:59")})
    assert found["lists"] == ["ann", "bob", "cat"] and found["popular"] == ["kite", "milk", "tea"]

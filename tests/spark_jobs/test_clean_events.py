"""Each event once, in the day it belongs to, and days that did not change are left alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from contracts.errors import MissingInput
from contracts.intervals import Interval
from contracts.lake import CLEAN_EVENTS, EVENT_ID, EVENTS, ITEM_ID
from contracts.manifest import FILE_NAME, Manifest
from models.tables import read_partition
from spark_jobs import clean_events
from spark_jobs.context import JobContext
from tests.spark_jobs.running import context_of
from tests.worlds import World, at_utc, event_row, write_events

pytestmark = pytest.mark.spark
DAY = "2026-01-31"
FIRST = event_row("e1", "u", "tea", at=at_utc("2026-01-31T07:10:00"))
SECOND = event_row("e2", "u", "milk", at=at_utc("2026-01-31T05:00:00"))


def cleaned(root: Path, day: str = DAY) -> list[str]:
    return read_partition(CLEAN_EVENTS, root / "lake", day).column(EVENT_ID).to_pylist()


def test_an_event_that_came_twice_is_kept_once_with_its_earliest_content(tmp_path: Path, spark: SparkSession) -> None:
    again = {**event_row("e1", "u", "coffee", at=at_utc("2026-01-31T08:10:00"))}
    World((FIRST, again), (), ()).write(tmp_path)
    clean_events.run(context_of(tmp_path, spark, Interval.of_key("2026-01-31T09")))
    rows = read_partition(CLEAN_EVENTS, tmp_path / "lake", DAY).to_pylist()
    assert [(row[EVENT_ID], row[ITEM_ID]) for row in rows] == [("e1", "tea")]


def test_a_late_event_reaches_the_day_it_belongs_to_when_the_next_hour_runs(
    tmp_path: Path, spark: SparkSession
) -> None:
    World((FIRST,), (), ()).write(tmp_path)
    context = context_of(tmp_path, spark)
    clean_events.run(context)
    write_events(tmp_path, [SECOND])
    clean_events.run(replace(context, interval=Interval.of_key("2026-01-31T08")))
    assert cleaned(tmp_path) == ["e1", "e2"]


def test_a_day_whose_raw_files_are_unchanged_is_not_written_again(tmp_path: Path, spark: SparkSession) -> None:
    World((FIRST,), (), ()).write(tmp_path)
    context = context_of(tmp_path, spark)
    clean_events.run(context)
    manifest = CLEAN_EVENTS.partition(tmp_path / "lake", DAY) / FILE_NAME
    before = manifest.stat().st_mtime_ns
    clean_events.run(context)
    assert manifest.stat().st_mtime_ns == before


def test_cleaning_again_from_nothing_gives_the_same_digest(tmp_path: Path, spark: SparkSession) -> None:
    digests = []
    for name in ("one", "two"):
        World((FIRST, SECOND), (), ()).write(tmp_path / name)
        clean_events.run(context_of(tmp_path / name, spark))
        digests.append(Manifest.read(CLEAN_EVENTS.partition(tmp_path / name / "lake", DAY), made_by="").digest)
    assert digests[0] == digests[1]


def test_days_after_the_interval_are_left_for_later(tmp_path: Path, spark: SparkSession) -> None:
    tomorrow = event_row("e3", "u", "tea", at=at_utc("2026-02-01T00:00:00"))
    World((FIRST, tomorrow), (), ()).write(tmp_path)
    clean_events.run(context_of(tmp_path, spark, Interval.of_key("2026-01-31T23")))
    assert not CLEAN_EVENTS.partition(tmp_path / "lake", "2026-02-01").exists()


def test_an_empty_lake_is_an_error_that_names_the_import(tmp_path: Path, spark: SparkSession) -> None:
    with pytest.raises(MissingInput, match="python -m headrace import"):
        clean_events.run(context_of(tmp_path, spark))


def test_events_of_nobody_and_of_no_item_are_dropped(tmp_path: Path, spark: SparkSession) -> None:
    anonymous = event_row("anonymous", None, "tea", at=at_utc("2026-01-31T07:20:00"))
    search = event_row("search", "u", None, at=at_utc("2026-01-31T07:21:00"), kind="search")
    World((FIRST, anonymous, search), (), ()).write(tmp_path)
    clean_events.run(context_of(tmp_path, spark))
    assert cleaned(tmp_path) == ["e1"]


def test_raw_files_that_the_archiver_replaces_meanwhile_are_read_as_they_were(
    tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    World((FIRST,), (), ()).write(tmp_path)
    lake, read = tmp_path / "lake", clean_events.read_raw

    def replaced_before_it_is_read(context: JobContext, files: Sequence[Path]) -> DataFrame:
        for file in EVENTS.path(lake).glob("*/*/*.parquet"):
            file.unlink()
        write_events(tmp_path, [FIRST, SECOND])
        return read(context, files)

    monkeypatch.setattr(clean_events, "read_raw", replaced_before_it_is_read)
    clean_events.run(context_of(tmp_path, spark))
    assert cleaned(tmp_path) == ["e1"]
    monkeypatch.setattr(clean_events, "read_raw", read)
    clean_events.run(context_of(tmp_path, spark))
    assert sorted(cleaned(tmp_path)) == ["e1", "e2"]

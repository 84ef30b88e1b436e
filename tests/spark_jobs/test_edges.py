"""Hours that are odd: without events, with four items, with users and items that came a moment ago."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts.errors import MissingInput
from contracts.intervals import Interval
from contracts.lake import (
    HEAD_ITEMS,
    HEAD_USERS,
    ITEM_ID,
    ITEM_IDS,
    LISTS,
    NEIGHBOURS,
    POPULAR,
    SEGMENT,
    SEGMENTS,
    SIMILAR,
    USER_ID,
)
from models.candidate_bundle import CandidateBundle
from spark_jobs import score_head
from spark_jobs.build_segments import NEW
from spark_jobs.context import JobContext
from spark_jobs.partitions import read_interval
from tests.spark_jobs.running import UP_TO_CANDIDATES, UP_TO_LISTS, context_of, rows_of, run_jobs
from tests.worlds import World, at_utc, event_row, item_row, user_row

pytestmark = pytest.mark.spark
LAST_HOUR, YESTERDAY = at_utc("2026-01-31T07:30:00"), at_utc("2026-01-30T09:00:00")
FOUR = ("tea", "milk", "scone", "jam")
GONE = "lemonade"
EVENTS = (
    *(event_row(f"{user}-{item}", user, item, at=YESTERDAY) for user in ("ann", "bob") for item in FOUR[:3]),
    event_row("gone", "ann", GONE, at=YESTERDAY),
    event_row("first", "new", "tea", at=LAST_HOUR),
    event_row("jam", "ann", "jam", at=LAST_HOUR),
)
ITEMS = (*(item_row(item, "food", 1.0) for item in FOUR), item_row(GONE, "food", 1.0, available="false"))
USERS = (user_row("ann", "north"), user_row("stranger", "south"))


@pytest.fixture
def tea_room(with_ranker: Path, spark: SparkSession) -> JobContext:
    """Four items that can be had, a user of one event, a user of none; everybody gets a list."""
    World(EVENTS, ITEMS, USERS).write(with_ranker)
    return context_of(with_ranker, spark, head_share=1.0, list_size=50, candidate_count=500, als_factors=64)


def test_four_items_give_lists_of_four_without_repeats_or_what_is_gone(tea_room: JobContext) -> None:
    run_jobs(tea_room, UP_TO_LISTS)
    lists = {row[USER_ID]: row[ITEM_IDS] for row in rows_of(tea_room, LISTS)}
    assert set(lists) == {"ann", "bob", "new"}  # a user of one event, an hour old, is known
    assert all(sorted(items) == sorted(FOUR) for items in lists.values())  # the item of the last hour among them
    assert all(GONE not in row[ITEM_IDS] for row in rows_of(tea_room, POPULAR))
    assert GONE not in {row[ITEM_ID] for row in rows_of(tea_room, NEIGHBOURS)}
    assert {row[ITEM_ID] for row in rows_of(tea_room, HEAD_ITEMS)} == set(FOUR)
    for row in rows_of(tea_room, SIMILAR):
        assert GONE not in (row[ITEM_ID], *row[ITEM_IDS])
    assert GONE not in CandidateBundle.load(tea_room.candidate_bundle).items.external_ids
    segments = {row[USER_ID]: row[SEGMENT] for row in rows_of(tea_room, SEGMENTS)}
    assert segments["stranger"] == NEW
    assert set(segments) == {"ann", "bob", "new", "stranger"}


def test_an_hour_without_events_still_gives_everybody_a_list(shop_hour: JobContext, spark: SparkSession) -> None:
    silent = context_of(shop_hour.settings.root, spark, Interval.of_key("2026-02-02T03"))
    run_jobs(silent, UP_TO_LISTS)
    assert len(rows_of(silent, LISTS)) == len(rows_of(silent, HEAD_USERS)) == 3


def test_a_window_without_any_event_is_an_error_that_names_the_cure(shop_hour: JobContext, spark: SparkSession) -> None:
    late = context_of(shop_hour.settings.root, spark, Interval.of_key("2026-06-01T00"), window_days=7)
    with pytest.raises(MissingInput, match="import events of that time"):
        run_jobs(late, UP_TO_CANDIDATES)


def test_an_hour_without_a_ranker_names_the_command_that_makes_one(tmp_path: Path, spark: SparkSession) -> None:
    with pytest.raises(MissingInput, match="python -m headrace train"):
        score_head.run(context_of(tmp_path, spark))


def test_a_partition_that_was_not_finished_is_not_read(tmp_path: Path, spark: SparkSession) -> None:
    context = context_of(tmp_path, spark)
    LISTS.partition(context.lake, context.key).mkdir(parents=True)
    with pytest.raises(MissingInput, match="python -m headrace hour 2026-01-31T07"):
        read_interval(context, LISTS)

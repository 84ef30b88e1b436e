"""Training rows hold what was known before their labels, and the ranker stands behind its gate."""

from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts.errors import MissingInput
from contracts.features import FEATURE_ORDER
from contracts.lake import (
    EVENT_TYPE,
    FEATURES,
    ITEM_ID,
    ITEM_IDS,
    LABEL,
    OCCURRED_AT,
    SEEN_COUNT,
    TRAINING_SET,
    USER_ID,
)
from models.ranker import RankerBundle
from models.tables import read_partition
from spark_jobs import build_training_set, train_ranker
from spark_jobs.build_training_set import LABELS, labels_of
from spark_jobs.context import JobContext
from spark_jobs.rankers import ranker_folder
from spark_jobs.session_rows import STRANGER
from spark_jobs.training_windows import label_starts
from tests.spark_jobs.running import context_of
from tests.worlds import BAKERS, GARDENERS, VIEW, at_utc, corner_shop, event_row, small_settings

pytestmark = pytest.mark.spark
WEEK = timedelta(days=7)
LENGTH, OWN_EVENTS = FEATURE_ORDER.index("session_length"), FEATURE_ORDER.index("user_event_count")
WEIGHTS = small_settings(Path())


def rows_as_of(context: JobContext, then: int) -> list[dict[str, object]]:
    """People as the hour knew them."""
    return [row for row in all_rows(context, then) if row[SEEN_COUNT] == 0]


def moments(context: JobContext, then: int) -> list[dict[str, object]]:
    return [row for row in all_rows(context, then) if row[SEEN_COUNT] > 0]


def all_rows(context: JobContext, then: int) -> list[dict[str, object]]:
    return read_partition(TRAINING_SET, context.lake, label_starts(context)[then].key).to_pylist()


def test_labels_begin_two_windows_and_one_window_before_the_end(trained_shop: JobContext) -> None:
    training, gate = label_starts(trained_shop)
    assert (training.end_at, gate.end_at) == (
        trained_shop.interval.end_at - 2 * WEEK,
        trained_shop.interval.end_at - WEEK,
    )


@pytest.mark.parametrize("then", [0, 1])
def test_labels_are_what_users_touched_in_the_window_after_and_only_that(trained_shop: JobContext, then: int) -> None:
    start_at = label_starts(trained_shop)[then].end_at
    touched = defaultdict(set)
    for event in corner_shop().events:
        if start_at <= event[OCCURRED_AT] < start_at + WEEK:
            touched[event[USER_ID]].add(event[ITEM_ID])
    positives = defaultdict(set)
    for row in rows_as_of(trained_shop, then):
        if row[LABEL] > 0:
            positives[row[USER_ID]].add(row[ITEM_ID])
    assert positives == touched


def test_features_are_as_of_the_start_of_the_labels(trained_shop: JobContext) -> None:
    place = FEATURE_ORDER.index("user_recency_days")
    recency = {row[USER_ID]: row[FEATURES][place] for row in rows_as_of(trained_shop, 0)}
    last = max(
        event[OCCURRED_AT]
        for event in corner_shop().events
        if event[USER_ID] == "b5" and event[OCCURRED_AT] < label_starts(trained_shop)[0].end_at
    )
    days = (label_starts(trained_shop)[0].end_at - last).total_seconds() / 86_400
    assert recency["b5"] == pytest.approx(days, rel=1e-6)


def test_moments_in_sessions_are_learned_from_what_came_after_them(trained_shop: JobContext) -> None:
    start_at = label_starts(trained_shop)[0].end_at
    rows = moments(trained_shop, 0)
    users = {row[USER_ID] for row in rows}
    assert {user.removeprefix(STRANGER) for user in users} <= {*BAKERS, *GARDENERS}
    assert {user.startswith(STRANGER) for user in users} == {True, False}
    for user in users:
        name = user.removeprefix(STRANGER)
        later = [e for e in corner_shop().events if e[USER_ID] == name and start_at <= e[OCCURRED_AT] < start_at + WEEK]
        later.sort(key=lambda event: event[OCCURRED_AT])
        for seen in {row[SEEN_COUNT] for row in rows if row[USER_ID] == user}:
            mine = [row for row in rows if (row[USER_ID], row[SEEN_COUNT]) == (user, seen)]
            wanted = {row[ITEM_ID]: row[LABEL] for row in mine if row[LABEL] > 0}
            assert wanted.keys() == {event[ITEM_ID] for event in later[seen:]} - {later[seen - 1][ITEM_ID]}
            assert wanted[later[seen][ITEM_ID]] == max(wanted.values())
            assert {row[FEATURES][LENGTH] for row in mine} == {seen}
            if user != name:
                assert {row[FEATURES][OWN_EVENTS] for row in mine} == {seen}
            assert later[seen - 1][ITEM_ID] not in {row[ITEM_ID] for row in mine}


def test_a_ranker_for_sessions_comes_with_the_other(trained_shop: JobContext) -> None:
    bundle = RankerBundle.load(ranker_folder(trained_shop))
    assert bundle.session_text not in ("", bundle.model_text)
    assert bundle.figures["session_users"] > 0


def test_the_best_grade_of_a_pair_counts(spark: SparkSession, tmp_path: Path) -> None:
    at = at_utc("2026-01-31T07:00:00")
    kinds = {"1": VIEW, "2": "click", "3": "add_to_cart", "4": "purchase", "5": "wave"}
    events = [event_row(f"{item}-{kind}", "u", item, at=at, kind=kind) for item, kind in kinds.items()]
    events.append(event_row("again", "u", "4", at=at, kind=VIEW))
    rows = [(e[USER_ID], e[ITEM_ID], e[EVENT_TYPE]) for e in events]
    frame = spark.createDataFrame(rows, "user_id string, item_id string, event_type string")
    (row,) = labels_of(frame, WEIGHTS, users=10).collect()
    assert dict(zip(row[ITEM_IDS], row[LABELS], strict=True)) == {"1": 1, "2": 2, "3": 3, "4": 4, "5": 1}


def test_a_sample_of_users_is_the_same_twice_and_bounded(spark: SparkSession) -> None:
    rows = [(f"u{number}", "i", VIEW) for number in range(50)]
    frame = spark.createDataFrame(rows, "user_id string, item_id string, event_type string")
    one, two = ([r[0] for r in labels_of(f, WEIGHTS, users=7).collect()] for f in (frame, frame.repartition(5)))
    assert len(one) == 7
    assert one == two


def test_training_again_gives_the_same_ranker(trained_shop: JobContext) -> None:
    folder = ranker_folder(trained_shop)
    before = RankerBundle.load(folder).digest
    train_ranker.run(trained_shop)
    assert RankerBundle.load(folder).digest == before


def test_no_history_before_the_labels_is_an_error_with_its_cure(tmp_path: Path, spark: SparkSession) -> None:
    context = context_of(tmp_path, spark)
    with pytest.raises(MissingInput, match="import events of that time"):
        build_training_set.run(context)

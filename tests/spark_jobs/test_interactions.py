"""A pair's row sums its events as of the interval's end, with weights that halve."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts.lake import (
    COUNT_30D,
    EVENT_COUNT,
    EVENT_ID,
    FIRST_AT,
    INTERACTIONS,
    ITEM_ID,
    LAST_AT,
    PURCHASE_COUNT,
    USER_ID,
    VALUE_SUM,
    WEIGHT,
    WEIGHT_SCALE,
)
from spark_jobs import build_interactions, clean_events
from tests.spark_jobs.running import context_of, rows_of
from tests.worlds import BREAD, VIEW, World, at_utc, event_row

pytestmark = pytest.mark.spark
NO_INTEREST = ("not_interested", "remove_from_cart")
END = at_utc("2026-01-31T08:00:00")


def test_a_pair_sums_its_events_with_weights_halved_every_half_life(tmp_path: Path, spark: SparkSession) -> None:
    events = (
        event_row("now", "u", BREAD, at=at_utc("2026-01-31T07:59:59")),
        event_row("half", "u", BREAD, at=at_utc("2025-12-02T08:00:00")),
        event_row("seen", "u", BREAD, at=at_utc("2025-12-02T08:00:00"), kind=VIEW),
        event_row("at-the-end", "u", BREAD, at=END),
        event_row("beyond-the-window", "u", BREAD, at=at_utc("2025-01-31T07:59:59")),
    )
    World(events, (), ()).write(tmp_path)
    context = context_of(tmp_path, spark)
    clean_events.run(context)
    build_interactions.run(context)
    (row,) = rows_of(context, INTERACTIONS)
    assert row.pop(WEIGHT) == pytest.approx((8 + 4 + 0.5) * WEIGHT_SCALE, rel=1e-6)
    assert row == {
        USER_ID: "u",
        ITEM_ID: BREAD,
        EVENT_COUNT: 3,
        PURCHASE_COUNT: 2,
        COUNT_30D: 1,
        FIRST_AT: int(at_utc("2025-12-02T08:00:00").timestamp()),
        LAST_AT: int(at_utc("2026-01-31T07:59:59").timestamp()),
        VALUE_SUM: 4 * WEIGHT_SCALE,
    }


def test_a_dismissal_is_no_sign_of_interest(tmp_path: Path, spark: SparkSession) -> None:
    at = at_utc("2026-01-31T07:30:00")
    seen = event_row("seen", "u", BREAD, at=at, kind=VIEW)
    dismissed = [event_row(kind, "u", item, at=at, kind=kind) for kind in NO_INTEREST for item in (BREAD, "tea")]
    World((seen, *(row | {EVENT_ID: f"{row[EVENT_ID]}-{row[ITEM_ID]}"} for row in dismissed)), (), ()).write(tmp_path)
    context = context_of(tmp_path, spark)
    clean_events.run(context)
    build_interactions.run(context)
    assert [(row[ITEM_ID], row[EVENT_COUNT]) for row in rows_of(context, INTERACTIONS)] == [(BREAD, 1)]

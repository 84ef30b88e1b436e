"""Statistics of items and users by hand: counts by span, shares, prices, sessions, categories."""

import pytest
from pyspark.sql import SparkSession

from contracts.features import ITEM_STATS_TABLE, USER_STATS_TABLE
from contracts.lake import ITEM_ID, USER_ID
from tests.spark_jobs.running import UP_TO_STATISTICS, context_of, rows_of, run_jobs
from tests.worlds import BREAD, VIEW, World, at_utc, event_row, item_row

pytestmark = pytest.mark.spark
# 2026-01-31 is a Saturday; the interval ends at 08:00.
EVENTS = (
    event_row("1", "ann", BREAD, at=at_utc("2026-01-31T07:30:00")),
    event_row("2", "ann", BREAD, at=at_utc("2026-01-30T20:00:00")),
    event_row("3", "bob", BREAD, at=at_utc("2026-01-26T13:00:00"), kind=VIEW),
    event_row("4", "bob", "rye", at=at_utc("2025-12-01T03:00:00"), kind=VIEW),
    event_row("5", "ann", "kite", at=at_utc("2026-01-30T20:30:00"), kind=VIEW),
)
ITEMS = (item_row(BREAD, "food", 99.0), item_row("rye", "food", 4.5), item_row("unsold", "food", 1.0))


@pytest.fixture(scope="module")
def stats(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> dict[str, dict[str, float]]:
    context = context_of(tmp_path_factory.mktemp("features"), spark)
    World(EVENTS, ITEMS, ()).write(context.settings.root)
    run_jobs(context, UP_TO_STATISTICS)
    items = {row[ITEM_ID]: row for row in rows_of(context, ITEM_STATS_TABLE)}
    return items | {row[USER_ID]: row for row in rows_of(context, USER_STATS_TABLE)}


def part(row: dict[str, float], *names: str) -> tuple[float, ...]:
    return tuple(row[name] for name in names)


def test_an_item_counts_its_events_by_span_and_its_users(stats: dict[str, dict[str, float]]) -> None:
    spans = [f"item_count_{span}" for span in ("1h", "24h", "7d", "30d", "window")]
    assert part(stats[BREAD], *spans, "item_user_count", "item_user_count_30d") == (1, 2, 3, 3, 3, 2, 2)
    assert part(stats["rye"], *spans, "item_user_count", "item_user_count_30d") == (0, 0, 0, 0, 1, 1, 0)


def test_shares_of_an_item_are_ratios_of_its_events(stats: dict[str, dict[str, float]]) -> None:
    shares = ("item_purchase_share", "item_repeat_share", "item_weekend_share", "item_morning_share")
    assert part(stats[BREAD], *shares) == (2 / 3, 1 / 3, 1 / 3, 1 / 3)
    assert part(stats[BREAD], "item_night_share", "item_afternoon_share", "item_evening_share") == (0, 1 / 3, 1 / 3)


def test_a_price_is_what_was_paid_and_else_what_the_catalogue_says(stats: dict[str, dict[str, float]]) -> None:
    assert [stats[item]["item_price"] for item in (BREAD, "rye", "kite")] == [2.0, 4.5, None]


def test_an_item_knows_its_part_of_its_category(stats: dict[str, dict[str, float]]) -> None:
    names = ("item_category_count_7d", "item_category_share")
    assert [part(stats[item], *names) for item in (BREAD, "rye", "kite")] == [(3, 0.75), (3, 0.25), (None, None)]


def test_an_item_without_events_has_no_statistics(stats: dict[str, dict[str, float]]) -> None:
    assert "unsold" not in stats


def test_a_user_counts_events_items_days_and_sessions(stats: dict[str, dict[str, float]]) -> None:
    names = ("user_event_count", "user_count_7d", "user_count_30d", "user_item_count", "user_active_days")
    assert part(stats["ann"], *names) == (3, 3, 3, 2, 2)
    assert part(stats["bob"], *names) == (2, 1, 1, 2, 2)
    assert part(stats["ann"], "user_session_size", "user_repeat_share") == (1.5, 1 / 3)


def test_a_user_has_a_first_category_and_what_they_spent(stats: dict[str, dict[str, float]]) -> None:
    names = ("user_category_count", "user_top_category_share", "user_price_mean", "user_value_30d")
    assert part(stats["ann"], *names) == (1, 2 / 3, 2.0, 4.0)
    assert part(stats["bob"], *names) == (1, 1.0, None, 0.0)


def test_instants_stay_instants(stats: dict[str, dict[str, float]]) -> None:
    first, last = at_utc("2026-01-26T13:00:00"), at_utc("2026-01-31T07:30:00")
    assert part(stats[BREAD], "item_first_at", "item_last_at") == (first.timestamp(), last.timestamp())
    assert stats["ann"]["user_last_at"] == last.timestamp()

"""Hours that are made again wait in a pool of their own, and the live hour goes first."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from contracts.intervals import KEY_FORMAT
from contracts.pipeline import BACKFILL_POOL, LIVE_POOL, PUBLISHER_POOL
from dags.pool_policy import is_old, task_instance_mutation_hook

HOUR = timedelta(hours=1)
SEVEN = datetime(2026, 1, 31, 7, tzinfo=UTC)


def placed(
    end_at: datetime | None,
    pool: str = LIVE_POOL,
    dag_id: str = "hourly_recommendations",
    *,
    start: str | None = None,
    run_type: str = "manual",
) -> tuple[str, int]:
    task = SimpleNamespace(dag_id=dag_id, pool=pool, priority_weight=7)
    run = SimpleNamespace(
        data_interval_start=end_at and end_at - HOUR,
        data_interval_end=end_at,
        conf={"start": start} if start else None,
        run_type=run_type,
    )
    task_instance_mutation_hook(task, run)
    return task.pool, task.priority_weight


@pytest.mark.parametrize(
    ("minutes_after_its_end", "old"), [(0, False), (59, False), (60, True), (60 * 24 * 30, True), (-60, False)]
)
def test_an_hour_is_old_once_a_whole_further_hour_has_passed(minutes_after_its_end: int, old: bool) -> None:
    assert is_old(SEVEN - HOUR, SEVEN, SEVEN + timedelta(minutes=minutes_after_its_end)) is old


def test_a_day_is_old_only_a_day_later() -> None:
    assert not is_old(SEVEN - 24 * HOUR, SEVEN, SEVEN + 23 * HOUR)


def test_a_past_hour_waits_among_backfills_and_the_live_hour_does_not() -> None:
    assert placed(datetime.now(UTC) - 5 * HOUR) == (BACKFILL_POOL, 1)
    assert placed(datetime.now(UTC)) == (LIVE_POOL, 1_000)
    assert placed(None) == (LIVE_POOL, 1_000)


def test_publishing_keeps_its_single_slot_and_the_live_hour_goes_first() -> None:
    assert placed(datetime.now(UTC) - 5 * HOUR, PUBLISHER_POOL) == (PUBLISHER_POOL, 1)
    assert placed(datetime.now(UTC), PUBLISHER_POOL) == (PUBLISHER_POOL, 1_000)


def test_an_old_hour_by_hand_or_with_late_events_is_known_by_its_start() -> None:
    live, old = ((datetime.now(UTC) - age * HOUR).strftime(KEY_FORMAT) for age in (1, 5))
    assert placed(None, start=old) == (BACKFILL_POOL, 1)
    assert placed(None, start=live) == (LIVE_POOL, 1_000)
    assert placed(None, start="next week") == (LIVE_POOL, 1_000)
    assert placed(datetime.now(UTC), start=old, run_type="backfill") == (LIVE_POOL, 1_000)  # it ignores the parameter


def test_other_peoples_dags_and_tasks_without_a_run_are_left_alone() -> None:
    assert placed(datetime.now(UTC) - 5 * HOUR, dag_id="somebody_elses") == (LIVE_POOL, 7)
    task = SimpleNamespace(dag_id="hourly_recommendations", pool=LIVE_POOL, priority_weight=7)
    task_instance_mutation_hook(task, None)
    assert (task.pool, task.priority_weight) == (LIVE_POOL, 7)

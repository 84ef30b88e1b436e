"""Keep hours that are made again out of the live hour's way: Airflow calls this for every task instance.

An interval that is not the last complete one (a backfill, a missed hour, an old hour by hand) takes the pool of
backfills. Publishing stays in the publishers' pool, of one slot, where the live hour goes first.
Airflow finds the function by its name in `airflow_local_settings`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.errors import BadInput
from contracts.intervals import Interval
from contracts.pipeline import BACKFILL_POOL, PUBLISHER_POOL

OUR_DAGS = {"hourly_recommendations": timedelta(hours=1), "daily_training": timedelta(days=1)}
BACKFILL = "backfill"  # the type of such runs
LIVE_WEIGHT, OLD_WEIGHT = 1_000, 1


def task_instance_mutation_hook(task_instance: Any, dag_run: Any) -> None:
    """Choose pool and weight by the age of the run's interval; without a run there is nothing to choose by."""
    if dag_run is None or task_instance.dag_id not in OUR_DAGS:
        return
    old = is_old(*bounds_of(dag_run, OUR_DAGS[task_instance.dag_id]), datetime.now(UTC))
    task_instance.priority_weight = OLD_WEIGHT if old else LIVE_WEIGHT
    if old and task_instance.pool != PUBLISHER_POOL:
        task_instance.pool = BACKFILL_POOL


def bounds_of(dag_run: Any, length: timedelta) -> tuple[datetime | None, datetime | None]:
    """The interval that a run works on: the one its parameter `start` names, else its own; a backfill has its own."""
    named = (dag_run.conf or {}).get("start")
    if isinstance(named, str) and dag_run.run_type != BACKFILL:
        try:
            start_at = Interval.of_key(named).start_at
            return start_at, start_at + length
        except BadInput:  # the run itself will say so
            return None, None
    return dag_run.data_interval_start, dag_run.data_interval_end


def is_old(start_at: datetime | None, end_at: datetime | None, now: datetime) -> bool:
    """Whether a whole further interval has passed since this one ended; a run without interval is not old."""
    if start_at is None or end_at is None:
        return False
    return now - end_at >= end_at - start_at

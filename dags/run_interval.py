"""Say which interval a run works on, or fail the run at once with what to do."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from airflow.sdk.exceptions import AirflowFailException

from contracts.errors import BadInput
from contracts.intervals import Interval
from contracts.pipeline import interval_arguments

BACKFILL = "backfill"


class Run(Protocol):
    """What is read of a DAG run."""

    run_id: str
    run_type: str
    data_interval_start: datetime | None
    data_interval_end: datetime | None


def run_interval(length: timedelta) -> Callable[[Run, Mapping[str, Any]], tuple[str, str]]:
    """The macro of a DAG whose intervals last `length`: bounds of a run's interval as ISO 8601."""

    def bounds(run: Run, params: Mapping[str, Any]) -> tuple[str, str]:
        try:
            return interval_arguments(choose_interval(run, params.get("start"), length))
        except BadInput as error:
            raise AirflowFailException(str(error)) from None

    return bounds


def choose_interval(run: Run, start: str | None, length: timedelta) -> Interval:
    """The interval that a manual run asks for by its parameter `start`, else the run's own; BadInput without either."""
    if start and run.run_type != BACKFILL:
        start_at = Interval.of_key(start).start_at
        return Interval(start_at, start_at + length)
    if run.data_interval_start is None or run.data_interval_end is None:
        raise BadInput(
            f"run {run.run_id} has no logical date, hence no interval, and its parameter start is empty; "
            "trigger it again with start, such as 2026-01-31T07, or with a logical date"
        )
    return Interval(run.data_interval_start, run.data_interval_end)

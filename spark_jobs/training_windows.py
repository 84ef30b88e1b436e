"""Where the labels of a training begin."""

from datetime import timedelta

from contracts.intervals import Interval
from spark_jobs.context import JobContext


def label_starts(context: JobContext) -> tuple[Interval, Interval]:
    """The hours that end where the training's and the gate's labels begin; they name the partitions."""
    window = timedelta(hours=context.settings.label_window_hours)
    end_at = context.interval.end_at
    return Interval.ending_at(end_at - 2 * window), Interval.ending_at(end_at - window)

"""Run jobs on a world in a folder, as a step would, in the shared session."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from contracts.intervals import Interval
from contracts.lake import Table
from models.tables import read_partition
from spark_jobs.context import JobContext
from tests import worlds

UP_TO_STATISTICS = ("clean_events", "build_interactions", "build_features")
UP_TO_CANDIDATES = (*UP_TO_STATISTICS, "select_head", "train_candidates")
UP_TO_LISTS = (*UP_TO_CANDIDATES, "build_segments", "build_profiles", "score_head", "build_popular")
TRAINING = ("clean_events", "build_training_set", "train_ranker", "train_session")


def context_of(root: Path, spark: SparkSession, interval: Interval = worlds.INTERVAL, **changes: Any) -> JobContext:
    """A cold run of an interval with small settings."""
    return JobContext(interval, worlds.small_settings(root, **changes), spark, cold=True)


def run_jobs(context: JobContext, jobs: Sequence[str]) -> None:
    """Run jobs in order in this process."""
    for job in jobs:
        importlib.import_module(f"spark_jobs.{job}").run(context)


def rows_of(context: JobContext, table: Table) -> list[dict[str, Any]]:
    """All rows that the interval's partition of a table holds."""
    return read_partition(table, context.tables, context.key).to_pylist()

"""The steps of the hour and of the daily training, and the command line of each.

Airflow and the command line run the same steps; a job is a module of `spark_jobs`, named as a string.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from contracts.intervals import Interval, format_instant
from contracts.settings import Settings


@dataclass(frozen=True, slots=True)
class Step:
    """One task: its jobs run one after the other in one process; with `spark`, in one Spark application."""

    name: str
    jobs: tuple[str, ...]
    spark: bool


HOUR = (
    Step("seal", ("seal",), spark=False),
    Step("clean_events", ("clean_events",), spark=True),
    Step("build_features", ("build_interactions", "build_features", "build_attributions"), spark=True),
    Step("select_head", ("select_head",), spark=False),
    Step("train_candidates", ("train_candidates",), spark=True),
    Step("build_segments", ("build_segments",), spark=False),
    Step("build_profiles", ("build_profiles",), spark=False),
    Step("score_head", ("score_head", "build_popular"), spark=True),
    Step("check", ("check",), spark=False),
    Step("publish", ("publish",), spark=False),
)
TRAINING = (
    Step("build_training_set", ("clean_events", "build_training_set"), spark=True),
    Step("train_ranker", ("train_ranker",), spark=False),
    Step("train_session", ("train_session",), spark=False),
)
RETENTION = Step("retention", ("retention",), spark=False)
LATE_HOURS = Step("late_hours", ("late_hours",), spark=False)

# Airflow's pools and their slots. An hour that is not the last complete one runs in the pool of backfills.
LIVE_POOL, PUBLISHER_POOL, BACKFILL_POOL = "default_pool", "publisher", "backfill"
POOL_SLOTS = {LIVE_POOL: 3, PUBLISHER_POOL: 1, BACKFILL_POOL: 1}


def step_command(step: Step, settings: Settings, start: str, end: str) -> list[str]:
    """Argument list that runs a step for [start, end); bounds are ISO 8601 text (or Airflow templates of it)."""
    bounds = ["--interval-start", start, "--interval-end", end, "--root", str(settings.root)]
    if not step.spark:
        return [sys.executable, "-m", f"spark_jobs.{step.jobs[0]}", *bounds]
    return [*spark_submit(settings), str(Path("spark_jobs") / "submit.py"), *step.jobs, *bounds]


def spark_submit(settings: Settings) -> list[str]:
    """The spark-submit of this environment with the settings' master, memory and shuffle partitions."""
    flags = [part for name, value in spark_conf(settings).items() for part in ("--conf", f"{name}={value}")]
    # spark-submit looks for PySpark with the python3 of the path, unless told otherwise by this variable alone
    spark_submit_here = ["env", f"PYSPARK_PYTHON={sys.executable}", str(Path(sys.executable).with_name("spark-submit"))]
    return [*spark_submit_here, "--master", settings.spark_master, *flags]


def spark_conf(settings: Settings) -> dict[str, str]:
    """What Spark is told, whoever starts it; two workers with threaded BLAS would fight, so each has one thread."""
    one_thread = {f"spark.executorEnv.{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    return one_thread | {
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.sql.shuffle.partitions": str(settings.spark_shuffle_partitions),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.sources.partitionOverwriteMode": "dynamic",
        # a year of days is 365 folders: the driver lists them sooner than 365 tasks do
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.pyspark.python": sys.executable,
        "spark.log.level": "ERROR",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": settings.spark_driver_host,
        "spark.driver.bindAddress": settings.spark_driver_host,
    }


def interval_arguments(interval: Interval) -> tuple[str, str]:
    """The two bounds as `step_command` takes them."""
    return format_instant(interval.start_at), format_instant(interval.end_at)

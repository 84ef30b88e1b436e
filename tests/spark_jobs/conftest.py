"""The corner shop with a trained ranker, and with its whole hour run, once for all files that only look."""

import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts.intervals import Interval
from spark_jobs.context import JobContext
from tests.spark_jobs.running import TRAINING, UP_TO_LISTS, context_of, run_jobs
from tests.worlds import corner_shop

TRAINING_DAY = Interval.parse("2026-01-30T00:00:00Z", "2026-01-31T00:00:00Z")


@pytest.fixture(scope="session")
def trained_shop(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> JobContext:
    """The training of the day before the shop's hour."""
    root = corner_shop().write(tmp_path_factory.mktemp("trained"))
    context = context_of(root, spark, TRAINING_DAY)
    run_jobs(context, TRAINING)
    return context


@pytest.fixture(scope="session")
def shop_hour(trained_shop: JobContext, spark: SparkSession) -> JobContext:
    """The shop's hour, run up to its lists; only to be read."""
    context = context_of(trained_shop.settings.root, spark)
    run_jobs(context, UP_TO_LISTS)
    return context


@pytest.fixture
def with_ranker(trained_shop: JobContext, tmp_path: Path) -> Path:
    """A fresh root that has the shop's ranker and nothing else."""
    shutil.copytree(trained_shop.layout.rankers, tmp_path / "root" / "bundles" / "ranker")
    return tmp_path / "root"

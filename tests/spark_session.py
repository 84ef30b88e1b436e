"""One small Spark session a test run; tests/conftest.py makes this fixture known everywhere."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.worlds import small_settings


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session of two threads, started when the first test asks for it."""
    from spark_jobs.session import spark_application

    with spark_application(small_settings(Path(os.devnull))) as session:
        yield session

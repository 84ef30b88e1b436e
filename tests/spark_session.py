"""One small Spark session a test run; tests/conftest.py makes this fixture known everywhere."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.worlds import small_settings

# Tiny data: what the just-in-time compiler would save is less than what it costs.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session of two threads, started when the first test asks for it."""
    from spark_jobs.session import spark_application

    with ExitStack() as running:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("JAVA_TOOL_OPTIONS", JAVA_OPTIONS)
            session = running.enter_context(spark_application(small_settings(Path(os.devnull))))
        yield session

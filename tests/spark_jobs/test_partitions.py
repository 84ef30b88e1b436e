"""A partition is replaced whole or not at all, and its digest is of its content."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession

from contracts.lake import HEAD_USERS, USER_ID
from contracts.manifest import Manifest
from spark_jobs.context import JobContext, Stopwatch
from spark_jobs.outputs import JobNote
from spark_jobs.partitions import read_folder, save_frame
from tests.spark_jobs.running import context_of, rows_of

pytestmark = pytest.mark.spark
ROWS = [("a", 1, 30), ("b", 2, 20), (None, 3, None)]


def save(context: JobContext, rows: list[tuple[object, ...]], parts: int = 1) -> Manifest:
    frame = context.session.createDataFrame(rows, HEAD_USERS.spark_ddl).repartition(parts)
    return save_frame(context, frame, table=HEAD_USERS, note=JobNote("test", Stopwatch()))


def test_rows_in_any_order_and_any_number_of_files_have_one_digest(tmp_path: Path, spark: SparkSession) -> None:
    context = context_of(tmp_path, spark)
    one, other = save(context, ROWS), save(context, ROWS[::-1], parts=3)
    assert (one.digest, one.rows) == (other.digest, 3)


@pytest.mark.parametrize("rows", [ROWS[:2], [*ROWS[:2], (None, None, 3)], [*ROWS, ROWS[0]]])
def test_other_rows_have_another_digest(tmp_path: Path, spark: SparkSession, rows: list[tuple[object, ...]]) -> None:
    context = context_of(tmp_path, spark)
    assert save(context, ROWS).digest != save(context, rows).digest


def test_no_rows_make_a_partition_that_can_be_read(tmp_path: Path, spark: SparkSession) -> None:
    context = context_of(tmp_path, spark)
    assert save(context, []).rows == 0
    folder = HEAD_USERS.partition(context.lake, context.key)
    assert read_folder(context, HEAD_USERS, folder).count() == 0
    assert rows_of(context, HEAD_USERS) == []


def test_a_job_that_fails_while_writing_leaves_what_was_there(tmp_path: Path, spark: SparkSession) -> None:
    context = context_of(tmp_path, spark)
    save(context, ROWS)

    def fail(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from frames
        raise ValueError("disk on fire")

    frame = spark.createDataFrame(ROWS, HEAD_USERS.spark_ddl).mapInPandas(fail, HEAD_USERS.spark_ddl)
    with pytest.raises(PythonException, match="disk on fire"):
        save_frame(context, frame, table=HEAD_USERS, note=JobNote("test", Stopwatch()))
    assert sorted(row[USER_ID] or "" for row in rows_of(context, HEAD_USERS)) == ["", "a", "b"]

"""Raw events as imported: thousands of small files, one an hour or more, read by Arrow inside Spark."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
from pyspark.sql import DataFrame

from contracts.lake import EVENTS
from models.tables import arrow_schema
from spark_jobs.context import JobContext

FILES_A_TASK = 128  # a task costs more than a small file, and a big one is read in pieces anyway
FILES_AT_ONCE = 16
ROWS_A_BATCH = 20_000
_PATH = "path"


def read_raw(context: JobContext, files: Sequence[Path]) -> DataFrame:
    """Rows of EVENTS from raw files: Spark's own reader takes ten milliseconds to open one, Arrow one."""
    paths = [(str(file.resolve()),) for file in files]
    tasks = max(context.session.sparkContext.defaultParallelism, -(-len(paths) // FILES_A_TASK))
    frame = context.session.createDataFrame(paths, f"{_PATH} string").repartition(tasks)
    return frame.mapInArrow(_read_files, EVENTS.spark_ddl)


def _read_files(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(EVENTS)
    for batch in batches:
        paths = batch.column(0).to_pylist()
        for start in range(0, len(paths), FILES_AT_ONCE):
            found = ds.dataset(paths[start : start + FILES_AT_ONCE], schema=schema, format="parquet").to_table()
            yield from found.combine_chunks().to_batches(max_chunksize=ROWS_A_BATCH)

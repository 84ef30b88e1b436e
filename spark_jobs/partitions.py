"""Partitions in and out of Spark: an explicit schema on read, rows and digest counted in the write itself."""

from pathlib import Path

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from contracts.lake import Table
from contracts.manifest import Manifest, digest_of
from spark_jobs.context import JobContext, log_done
from spark_jobs.held_files import hold
from spark_jobs.outputs import JobNote, input_digest, swap_folder

ROWS, DIGEST = "rows", "digest"


def read_interval(context: JobContext, table: Table) -> DataFrame:
    """Read this interval's partition of a table; MissingInput when it was not finished."""
    input_digest(context, table)
    return read_folder(context, table, table.partition(context.tables, context.key))


def read_folder(context: JobContext, table: Table, *folders: Path) -> DataFrame:
    """Read whole folders of one table by its schema; no folder gives no rows."""
    if not folders:
        return context.session.createDataFrame([], table.spark_ddl)
    return context.session.read.schema(table.spark_ddl).parquet(*(str(folder) for folder in folders))


def read_snapshot(context: JobContext, table: Table) -> DataFrame:
    """Read ITEMS, USERS or TOMBSTONES as they are now; no rows when there never were any."""
    return read_folder(context, table, *hold(context.lake, table.path(context.lake)))


def save_frame(context: JobContext, frame: DataFrame, *, table: Table, note: JobNote) -> Manifest:
    """Replace this interval's partition by `frame`; rows and digest are observed while it is written."""
    folder = table.partition(context.tables, context.key)
    partial = folder.with_name(f".{folder.name}.partial")
    seen = Observation()
    stated = frame.select(*table.column_names)
    stated.observe(seen, F.count(F.lit(1)).alias(ROWS), row_digest(stated, table).alias(DIGEST)).write.mode(
        "overwrite"
    ).parquet(str(partial))
    found = seen.get
    digest = digest_of(table.name, table.spark_ddl, str(found[ROWS]), str(found[DIGEST]))
    manifest = Manifest(note.job, found[ROWS], digest, note.inputs, note.watch.seconds, note.figures)
    manifest.write(partial)
    swap_folder(partial, folder)
    log_done(context, manifest)
    return manifest


def row_digest(frame: DataFrame, table: Table) -> Column:
    """Sum of row hashes: the same for the same rows in any order and any partitioning."""
    hashes = [F.xxhash64(F.lit(place), _hashable(frame, table, place)) for place in range(len(table.columns))]
    return F.sum(F.xxhash64(*hashes).cast("decimal(20,0)"))


def _hashable(frame: DataFrame, table: Table, place: int) -> Column:
    column = table.columns[place]
    if column.type.startswith("map<"):  # Spark refuses to hash a map: its entries have no order of their own
        return F.array_sort(F.map_entries(frame[column.name]))
    return frame[column.name]

"""Partitions in and out of Spark: an explicit schema on read, rows and digest counted in the write itself."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from contracts.lake import ITEMS, USERS, Table
from contracts.manifest import FILE_NAME, Manifest, digest_of
from models.tables import write_partition
from spark_jobs.context import JobContext, Stopwatch, log_done

ROWS, DIGEST = "rows", "digest"


@dataclass(frozen=True, slots=True)
class JobNote:
    """What a job says of one output besides its rows: its name, what it read, figures for the log."""

    job: str
    watch: Stopwatch
    inputs: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float | int | str] = field(default_factory=dict)


def read_interval(context: JobContext, table: Table) -> DataFrame:
    """Read this interval's partition of a table; MissingInput when it was not finished."""
    input_digest(context, table)
    return read_folder(context, table, table.partition(context.lake, context.key))


def read_folder(context: JobContext, table: Table, *folders: Path) -> DataFrame:
    """Read whole folders of one table by its schema; no folder gives no rows."""
    if not folders:
        return context.session.createDataFrame([], table.spark_ddl)
    return context.session.read.schema(table.spark_ddl).parquet(*(str(folder) for folder in folders))


def read_snapshot(context: JobContext, table: Table) -> DataFrame:
    """Read ITEMS or USERS as imported; no rows when nobody imported them."""
    files = sorted(table.path(context.lake).glob("*.parquet"))
    return read_folder(context, table, *files)


def input_digest(context: JobContext, table: Table) -> str:
    """Digest of this interval's partition, or of an imported snapshot; MissingInput names what to run."""
    if table in (ITEMS, USERS):  # files of a snapshot carry the digest of their content in their name
        return digest_of(*sorted(file.name for file in table.path(context.lake).glob("*.parquet")))
    return Manifest.read(
        table.partition(context.lake, context.key), made_by=f"python -m headrace hour {context.key}"
    ).digest


def input_digests(context: JobContext, *tables: Table) -> dict[str, str]:
    """Names and digests of inputs, as a manifest keeps them."""
    return {table.name: input_digest(context, table) for table in tables}


def save_frame(context: JobContext, frame: DataFrame, *, table: Table, note: JobNote) -> Manifest:
    """Replace this interval's partition by `frame`; rows and digest are observed while it is written."""
    folder = table.partition(context.lake, context.key)
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


def save_arrow(context: JobContext, data: pa.Table, *, table: Table, note: JobNote) -> Manifest:
    """Replace this interval's partition by sorted rows that plain Python made."""
    (table.partition(context.lake, context.key) / FILE_NAME).unlink(missing_ok=True)
    digest = write_partition(table, data, context.lake, context.key)
    manifest = Manifest(note.job, data.num_rows, digest, note.inputs, note.watch.seconds, note.figures)
    manifest.write(table.partition(context.lake, context.key))
    log_done(context, manifest)
    return manifest


def swap_folder(partial: Path, folder: Path) -> None:
    """Put a finished folder where the old one is; killed in between, there is none, and so no manifest."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def row_digest(frame: DataFrame, table: Table) -> Column:
    """Sum of row hashes: the same for the same rows in any order and any partitioning."""
    hashes = [F.xxhash64(F.lit(place), _hashable(frame, table, place)) for place in range(len(table.columns))]
    return F.sum(F.xxhash64(*hashes).cast("decimal(20,0)"))


def _hashable(frame: DataFrame, table: Table, place: int) -> Column:
    column = table.columns[place]
    if column.type.startswith("map<"):  # Spark refuses to hash a map: its entries have no order of their own
        return F.array_sort(F.map_entries(frame[column.name]))
    return frame[column.name]

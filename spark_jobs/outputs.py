"""What every output of a job carries, and how plain Python writes one: no Spark is needed for this."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from contracts.lake import ITEMS, TOMBSTONES, USERS, Table
from contracts.manifest import FILE_NAME, Manifest, digest_of
from models.tables import arrow_schema, write_partition
from spark_jobs.context import JobContext, Stopwatch, log_done

SNAPSHOTS = (ITEMS, USERS, TOMBSTONES)


@dataclass(frozen=True, slots=True)
class JobNote:
    """What a job says of one output besides its rows: its name, what it read, figures for the log."""

    job: str
    watch: Stopwatch
    inputs: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float | int | str] = field(default_factory=dict)


def input_digest(context: JobContext, table: Table) -> str:
    """Digest of this interval's partition, or of an imported snapshot; MissingInput names what to run."""
    if table in SNAPSHOTS:
        return snapshot_digest(context.lake, table)
    return Manifest.read(
        table.partition(context.tables, context.key), made_by=f"python -m headrace hour {context.key}"
    ).digest


def snapshot_digest(lake: Path, table: Table) -> str:
    """Digest of a table that is replaced whole: its files carry the digest of their content in their names."""
    return digest_of(*sorted(file.name for file in table.path(lake).glob("*.parquet")))


def input_digests(context: JobContext, *tables: Table) -> dict[str, str]:
    """Names and digests of inputs, as a manifest keeps them."""
    return {table.name: input_digest(context, table) for table in tables}


def save_arrow(context: JobContext, data: pa.Table, *, table: Table, note: JobNote) -> Manifest:
    """Replace this interval's partition by sorted rows that plain Python made."""
    (table.partition(context.tables, context.key) / FILE_NAME).unlink(missing_ok=True)
    stated = data.select(list(table.column_names)).cast(arrow_schema(table))
    digest = write_partition(table, stated, context.tables, context.key)
    manifest = Manifest(note.job, data.num_rows, digest, note.inputs, note.watch.seconds, note.figures)
    manifest.write(table.partition(context.tables, context.key))
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

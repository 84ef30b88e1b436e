"""Clean events: each event once, contract columns, one folder a day; days whose raw files are unchanged are kept."""

import fcntl
import hashlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from contracts.errors import CorruptData, MissingInput
from contracts.lake import (
    CLEAN_EVENTS,
    CONTEXT,
    DATE,
    EVENT_ID,
    EVENT_TYPE,
    EVENTS,
    ITEM_ID,
    OCCURRED_AT,
    QUANTITY,
    SESSION_ID,
    USER_ID,
    VALUE,
)
from contracts.manifest import FILE_NAME, Manifest, digest_of
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.outputs import swap_folder
from spark_jobs.raw_events import read_raw
from spark_jobs.window import last_day

logger = logging.getLogger(__name__)
JOB = "clean_events"
RAW_INPUT = "raw"
_KEPT_RANK = "kept_rank"


def run(context: JobContext) -> None:
    """Clean every day up to the interval's whose raw files differ from those its manifest names."""
    with _one_writer(context.lake):
        stale = stale_dates(context.lake, last_day(context.end_seconds))
        logger.info("event=stale_days job=%s interval=%s days=%d", JOB, context.key, len(stale))
        if stale:
            _clean(context, stale)


def stale_dates(lake: Path, last: str) -> dict[str, list[Path]]:
    """Raw files of each day up to `last` that must be cleaned (again); MissingInput when the lake is empty."""
    days = sorted(folder for folder in EVENTS.path(lake).glob(f"{DATE}=*") if _day_of(folder) <= last)
    if not days:
        raise MissingInput(
            f"{EVENTS.path(lake)} has no events up to {last}; bring some in with: python -m headrace import FILE"
        )
    raw = {_day_of(folder): sorted(folder.glob("*/*.parquet")) for folder in days}
    return {day: files for day, files in raw.items() if _cleaned_from(lake, day) != raw_digest(files)}


def raw_digest(files: Sequence[Path]) -> str:
    """Digest of a day's raw files: their names carry the digest of their content."""
    return digest_of(*sorted(f"{file.parent.name}/{file.name}" for file in files))


def clean(events: DataFrame) -> DataFrame:
    """Keep the contract's rows, each event id once: of several the earliest, then by its other columns."""
    required = [EVENT_ID, EVENT_TYPE, USER_ID, ITEM_ID, OCCURRED_AT]
    tie = F.xxhash64(USER_ID, ITEM_ID, EVENT_TYPE, VALUE, QUANTITY, SESSION_ID, F.map_entries(CONTEXT))
    dated = events.dropna(subset=required).withColumn(DATE, F.date_format(OCCURRED_AT, "yyyy-MM-dd"))
    # One shuffle by day serves the window below and the files; its sort is the order of the rows in them.
    same_event = Window.partitionBy(DATE, EVENT_ID).orderBy(OCCURRED_AT, tie)
    return (
        dated.repartition(DATE)
        .withColumn(_KEPT_RANK, F.row_number().over(same_event))
        .where(F.col(_KEPT_RANK) == 1)
        .select(DATE, *CLEAN_EVENTS.column_names)
    )


def content_digest(file: Path) -> str:
    """Digest of a file's rows in their order; bytes of a Parquet file of Spark's differ from one JVM to the next."""
    rows = pq.read_table(file, partitioning=None).replace_schema_metadata(None).combine_chunks()
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_table(rows)
    return hashlib.blake2b(stream.getvalue(), digest_size=16).hexdigest()


def _clean(context: JobContext, days: dict[str, list[Path]]) -> None:
    watch = Stopwatch()
    partial = CLEAN_EVENTS.path(context.lake) / ".partial"
    clean(read_raw(context, [file for files in days.values() for file in files])).write.mode("overwrite").partitionBy(
        DATE
    ).parquet(str(partial))
    strays = {_day_of(folder) for folder in partial.glob(f"{DATE}=*")} - set(days)
    if strays:
        raise CorruptData(f"raw events of {min(days)}..{max(days)} hold events of {sorted(strays)}; import them again")
    rows = sum(_publish_day(context.lake, partial / f"{DATE}={day}", files, watch=watch) for day, files in days.items())
    shutil.rmtree(partial)
    logger.info(
        "event=job_done job=%s interval=%s days=%d rows=%d seconds=%.3f",
        *(JOB, context.key, len(days), rows, watch.seconds),
    )


def _publish_day(lake: Path, made: Path, files: list[Path], *, watch: Stopwatch) -> int:
    made.mkdir(exist_ok=True)  # a day may have lost all its rows
    data = sorted(made.glob("*.parquet"))
    manifest = Manifest(
        JOB,
        sum(pq.read_metadata(file).num_rows for file in data),
        digest_of(*map(content_digest, data)),
        {RAW_INPUT: raw_digest(files)},
        watch.seconds,
        {"raw_files": len(files)},
    )
    manifest.write(made)
    swap_folder(made, CLEAN_EVENTS.path(lake) / made.name)
    return manifest.rows


def _cleaned_from(lake: Path, day: str) -> str:
    folder = CLEAN_EVENTS.partition(lake, day)
    if not (folder / FILE_NAME).exists():
        return ""
    return Manifest.read(folder, made_by=JOB).inputs.get(RAW_INPUT, "")


def _day_of(folder: Path) -> str:
    return folder.name.partition("=")[2]


@contextmanager
def _one_writer(lake: Path) -> Iterator[None]:
    # A backfill and the live hour may want the same day at once; the second then finds it clean.
    folder = CLEAN_EVENTS.path(lake)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    run_alone(run, spark=True)

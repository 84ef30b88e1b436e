"""Clean events: each event once, contract columns, one folder a day; days whose raw files are unchanged are kept.

Events without a user or an item (an anonymous visitor's, a search) are dropped, and so is what was forgotten.
"""

import fcntl
import hashlib
import logging
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
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
    TOMBSTONES,
    USER_ID,
    VALUE,
)
from contracts.manifest import FILE_NAME, Manifest, digest_of
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.forget import without_forgotten
from spark_jobs.held_files import hold
from spark_jobs.outputs import JobNote, snapshot_digest, swap_folder
from spark_jobs.raw_events import read_raw
from spark_jobs.tombstones import NO_TOMBSTONES, days_with_forgotten
from spark_jobs.window import last_day

logger = logging.getLogger(__name__)
JOB = "clean_events"
RAW_INPUT, TOMBSTONES_INPUT, FILES = "raw", "tombstones", "raw_files"
_KEPT_RANK = "kept_rank"


def run(context: JobContext) -> None:
    """Clean every day up to the interval's that is not what its raw files and the tombstones make of it."""
    with _one_writer(context.lake):
        days, stones = raw_days(context.lake, last_day(context.end_seconds)), snapshot_digest(context.lake, TOMBSTONES)
        stale = stale_days(context.lake, days, stones)
        logger.info("event=stale_days job=%s interval=%s days=%d", JOB, context.key, len(stale))
        if stale:
            _clean(context, stale)
        _note_tombstones(context.lake, days.keys() - stale, stones)


def raw_days(lake: Path, last: str) -> dict[str, str]:
    """Digest of the raw files of each day up to `last`; MissingInput when the lake is empty."""
    folders = sorted(folder for folder in EVENTS.path(lake).glob(f"{DATE}=*") if _day_of(folder) <= last)
    if not folders:
        raise MissingInput(
            f"{EVENTS.path(lake)} has no events up to {last}; bring some in with: python -m headrace import FILE"
        )
    return {_day_of(folder): raw_digest(list(folder.glob("*/*.parquet"))) for folder in folders}


def stale_days(lake: Path, days: Mapping[str, str], tombstones: str) -> list[str]:
    """Days to be cleaned (again): other raw files than their manifest names, or something of the forgotten in them."""
    stale = {day for day, digest in days.items() if _input_of(lake, day, RAW_INPUT) != digest}
    held_against = {day: _input_of(lake, day, TOMBSTONES_INPUT, NO_TOMBSTONES) for day in days.keys() - stale}
    stale |= days_with_forgotten(lake, [day for day, digest in held_against.items() if digest != tombstones])
    return sorted(stale)


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


def _clean(context: JobContext, days: Collection[str]) -> None:
    watch = Stopwatch()
    partial = CLEAN_EVENTS.path(context.lake) / ".partial"
    raw = {day: _held_files(context.lake, day) for day in days}
    stones = snapshot_digest(context.lake, TOMBSTONES)
    events = clean(read_raw(context, [file for files in raw.values() for file in files]))
    # after the choice among events of one id, so that forgetting one never brings its double back
    without_forgotten(context, events).write.mode("overwrite").partitionBy(DATE).parquet(str(partial))
    strays = {_day_of(folder) for folder in partial.glob(f"{DATE}=*")} - set(days)
    if strays:
        raise CorruptData(f"raw events of {min(days)}..{max(days)} hold events of {sorted(strays)}; import them again")
    rows = 0
    for day, files in raw.items():
        inputs = {RAW_INPUT: raw_digest(files), TOMBSTONES_INPUT: stones}
        rows += _publish_day(context.lake, partial / f"{DATE}={day}", JobNote(JOB, watch, inputs, {FILES: len(files)}))
    shutil.rmtree(partial)
    logger.info(
        "event=job_done job=%s interval=%s days=%d rows=%d seconds=%.3f",
        *(JOB, context.key, len(days), rows, watch.seconds),
    )


def _publish_day(lake: Path, made: Path, note: JobNote) -> int:
    made.mkdir(exist_ok=True)  # a day may have lost all its rows
    data = sorted(made.glob("*.parquet"))
    rows = sum(pq.read_metadata(file).num_rows for file in data)
    digest = digest_of(*map(content_digest, data))
    Manifest(JOB, rows, digest, note.inputs, note.watch.seconds, note.figures).write(made)
    swap_folder(made, CLEAN_EVENTS.path(lake) / made.name)
    return rows


def _held_files(lake: Path, day: str) -> list[Path]:
    hours = sorted((EVENTS.path(lake) / f"{DATE}={day}").glob("*/"))
    return [file for hour in hours for file in hold(lake, hour)]


def _note_tombstones(lake: Path, days: Collection[str], digest: str) -> None:
    """Let days without anything to forget name the tombstones that they were held against."""
    for day in days:
        folder = CLEAN_EVENTS.partition(lake, day)
        manifest = Manifest.read(folder, made_by=JOB)
        if manifest.inputs.get(TOMBSTONES_INPUT, NO_TOMBSTONES) != digest:
            replace(manifest, inputs=manifest.inputs | {TOMBSTONES_INPUT: digest}).write(folder)


def _input_of(lake: Path, day: str, name: str, default: str = "") -> str:
    folder = CLEAN_EVENTS.partition(lake, day)
    if not (folder / FILE_NAME).exists():
        return ""
    return Manifest.read(folder, made_by=JOB).inputs.get(name, default)


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

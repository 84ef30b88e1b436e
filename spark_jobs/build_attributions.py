"""Build attributions: one row an item shown, with what came of it and what was known at that moment."""

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.features import ITEM_STATS_TABLE, USER_STATS_TABLE
from contracts.lake import (
    ATTRIBUTIONS,
    CLICKED_AT,
    FEATURES,
    IMPRESSION_ID,
    IMPRESSIONS,
    INTERVAL,
    ITEM_ID,
    POSITION,
    PURCHASED_AT,
    SOURCE,
    VERSION,
    Table,
)
from contracts.manifest import FILE_NAME, Manifest, digest_of
from spark_jobs.attributions import AT, VERSION_HOUR, Known, attributions, credited, outcomes, shown_items
from spark_jobs.clean_events import content_digest
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.forget import without_forgotten
from spark_jobs.outputs import JobNote, swap_folder
from spark_jobs.partitions import read_folder
from spark_jobs.raw_events import read_raw
from spark_jobs.shown_hours import JOB, Plan, plan, window
from spark_jobs.shown_versions import Naming
from spark_jobs.window import instant

CLICKS, PURCHASES = "clicks", "purchases"
logger = logging.getLogger(__name__)


def run(context: JobContext) -> None:
    """Make the partitions of all hours of impressions whose window touches the interval, where their inputs changed."""
    watch, found = Stopwatch(), plan(context)
    rows = _make(context, found, watch) if found else 0
    logger.info(
        "event=job_done job=%s interval=%s hours=%d rows=%d seconds=%.3f",
        *(JOB, context.key, len(found.hours) if found else 0, rows, watch.seconds),
    )


def _make(context: JobContext, found: Plan, watch: Stopwatch) -> int:
    partial = ATTRIBUTIONS.path(context.lake) / ".partial"
    made = _frame(context, found).repartition(INTERVAL).sortWithinPartitions(INTERVAL, IMPRESSION_ID, POSITION)
    made.write.mode("overwrite").partitionBy(INTERVAL).parquet(str(partial))
    rows = 0
    for key, inputs in found.hours.items():
        folder = partial / f"{INTERVAL}={key}"
        rows += _publish(folder, ATTRIBUTIONS.partition(context.lake, key), JobNote(JOB, watch, inputs))
    shutil.rmtree(partial)
    return rows


def _frame(context: JobContext, found: Plan) -> DataFrame:
    impressions = without_forgotten(context, read_folder(context, IMPRESSIONS, *found.impressions))
    raw = without_forgotten(context, read_raw(context, found.events))
    until = instant(int(found.until.timestamp()))
    shown = shown_items(impressions)
    happened = outcomes(raw).where(F.col(AT) < until)
    credits = credited(shown, happened, window(context))
    wanted = shown.where(F.col(INTERVAL).isin(*found.hours))
    named = wanted.mapInArrow(
        Naming.of(context.lake, found.version_hours), f"{_ddl(wanted)}, `{VERSION}` string, `{SOURCE}` string"
    )
    return attributions(named, credits, _known(context, found))


def _known(context: JobContext, found: Plan) -> Known:
    items, users = (_finished(context, table, found.version_hours) for table in (ITEM_STATS_TABLE, USER_STATS_TABLE))
    kept = tuple(key for key in found.version_hours if key in items and key in users)
    made = {} if len(kept) == len(found.version_hours) else _finished(context, ATTRIBUTIONS, found.hours)
    before = _rows(context, ATTRIBUTIONS, made, name=INTERVAL).select(INTERVAL, IMPRESSION_ID, ITEM_ID, FEATURES)
    statistics = (
        _rows(context, table, {key: folders[key] for key in kept}, name=VERSION_HOUR)
        for table, folders in ((ITEM_STATS_TABLE, items), (USER_STATS_TABLE, users))
    )
    return Known(kept, *statistics, before)


def _finished(context: JobContext, table: Table, keys: Iterable[str]) -> dict[str, Path]:
    folders = {key: table.partition(context.lake, key) for key in keys}
    return {key: folder for key, folder in folders.items() if (folder / FILE_NAME).exists()}


def _rows(context: JobContext, table: Table, folders: dict[str, Path], *, name: str) -> DataFrame:
    """Rows of some partitions with the key of theirs in a column `name`."""
    rows = read_folder(context, table).withColumn(name, F.lit(""))
    for key, folder in folders.items():
        rows = rows.unionByName(read_folder(context, table, folder).withColumn(name, F.lit(key)))
    return rows


def _publish(made: Path, folder: Path, note: JobNote) -> int:
    made.mkdir(exist_ok=True)  # all that was shown may have been forgotten
    data = sorted(made.glob("*.parquet"))
    outcome = [pq.read_table(file, columns=[CLICKED_AT, PURCHASED_AT], partitioning=None) for file in data]
    rows = sum(table.num_rows for table in outcome)
    figures: dict[str, float | int | str] = {
        name: sum(len(table) - table[column].null_count for table in outcome)
        for name, column in ((CLICKS, CLICKED_AT), (PURCHASES, PURCHASED_AT))
    }
    digest = digest_of(*map(content_digest, data))
    Manifest(note.job, rows, digest, note.inputs, note.watch.seconds, figures).write(made)
    swap_folder(made, folder)
    return rows


def _ddl(frame: DataFrame) -> str:
    return ", ".join(f"`{name}` {kind}" for name, kind in frame.dtypes)


if __name__ == "__main__":
    run_alone(run, spark=True)

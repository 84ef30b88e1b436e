"""Which hours of impressions are to be joined to what came of them, and from which files: the plan of one run.

An hour of impressions is open until the attribution window of its last instant has passed. The run of an hour makes
every open one again, from events up to its own end, or up to the latest end that the partition was ever made for: so a
backfill of an old hour takes nothing away from it. An hour whose inputs are those of its manifest is left as it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from contracts.features import ITEM_STATS_TABLE, USER_STATS_TABLE
from contracts.intervals import HOUR, Interval, format_instant, parse_instant
from contracts.lake import ATTRIBUTIONS, EVENTS, IMPRESSIONS, RECOMMENDATION_ID, TOMBSTONES, Table
from contracts.manifest import FILE_NAME, Manifest, digest_of
from spark_jobs.context import JobContext
from spark_jobs.held_files import hold
from spark_jobs.outputs import snapshot_digest
from spark_jobs.shown_versions import interval_of

JOB = "build_attributions"
UNTIL, NOT_FINISHED = "until", "none"
Files = dict[datetime, list[Path]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Hours to make with the inputs that their manifests will name; files and version hours that they are made of."""

    hours: dict[str, dict[str, str]]
    impressions: tuple[Path, ...]
    events: tuple[Path, ...]
    version_hours: tuple[str, ...]
    until: datetime


def plan(context: JobContext) -> Plan | None:
    """What the run of this interval has to make; None when that is nothing."""
    open_hours = list(_hours(context.interval.start_at - window(context), context.interval.end_at))
    if not any(any(_folder(IMPRESSIONS, context, at).glob("*.parquet")) for at in open_hours):
        return None
    until = max([context.interval.end_at, *(_made_until(context, Interval(at, at + HOUR)) for at in open_hours)])
    span = list(_hours(open_hours[0], until))
    impressions, events = (
        {at: hold(context.lake, _folder(table, context, at)) for at in span} for table in (IMPRESSIONS, EVENTS)
    )
    versions = {at: sorted(_version_hours(files)) for at, files in impressions.items()}
    stale = {}
    for at in open_hours:
        hour = Interval(at, at + HOUR)
        inputs = _inputs(context, hour, min(until, hour.end_at + window(context)), (impressions, events))
        inputs["features"] = digest_of(*(_stats_digest(context, key) for key in versions[at]))
        if impressions[at] and _noted(context, hour).get("inputs") != inputs:
            stale[hour.key] = inputs
    if not stale:
        return None
    return Plan(
        stale,
        tuple(file for files in impressions.values() for file in files),
        tuple(file for files in events.values() for file in files),
        tuple(sorted({key for keys in versions.values() for key in keys})),
        until,
    )


def window(context: JobContext) -> timedelta:
    """How long after an impression what happens is put down to it."""
    return timedelta(hours=context.settings.attribution_hours)


def _inputs(context: JobContext, hour: Interval, until: datetime, files: Sequence[Files]) -> dict[str, str]:
    span = [at for at in files[0] if hour.start_at <= at < until]
    impressions, events = (
        digest_of(*(f"{at:%Y-%m-%dT%H}/{file.name}" for at in span for file in found[at])) for found in files
    )
    return {
        IMPRESSIONS.name: impressions,
        EVENTS.name: events,
        TOMBSTONES.name: snapshot_digest(context.lake, TOMBSTONES),
        UNTIL: format_instant(until),
    }


def _made_until(context: JobContext, hour: Interval) -> datetime:
    noted = _noted(context, hour).get("inputs", {}).get(UNTIL)
    return parse_instant(noted) if noted else hour.end_at


def _noted(context: JobContext, hour: Interval) -> dict[str, dict[str, str]]:
    folder = ATTRIBUTIONS.partition(context.lake, hour.key)
    if not (folder / FILE_NAME).exists():
        return {}
    return {"inputs": Manifest.read(folder, made_by=JOB).inputs}


def _version_hours(files: Iterable[Path]) -> set[str]:
    columns = (pq.read_table(file, columns=[RECOMMENDATION_ID], partitioning=None) for file in files)
    found = {interval_of(one or "") for rows in columns for one in rows[RECOMMENDATION_ID].unique().to_pylist()}
    return found - {""}


def _stats_digest(context: JobContext, interval_key: str) -> str:
    folders = (table.partition(context.lake, interval_key) for table in (ITEM_STATS_TABLE, USER_STATS_TABLE))
    digests = (
        Manifest.read(folder, made_by=JOB).digest if (folder / FILE_NAME).exists() else NOT_FINISHED
        for folder in folders
    )
    return f"{interval_key}={','.join(digests)}"


def _folder(table: Table, context: JobContext, at: datetime) -> Path:
    return table.partition(context.lake, f"{at:%Y-%m-%d}", f"{at:%H}")


def _hours(start_at: datetime, end_at: datetime) -> Iterable[datetime]:
    while start_at < end_at:
        yield start_at
        start_at += HOUR

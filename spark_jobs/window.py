"""The clean events that an instant may look at: within the window, and before the instant."""

from datetime import UTC, datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.errors import MissingInput
from contracts.event_weights import weightless_types
from contracts.lake import CLEAN_EVENTS, DATE, EVENT_TYPE, OCCURRED_AT
from contracts.manifest import Manifest, digest_of
from spark_jobs.context import JobContext
from spark_jobs.partitions import read_folder

HOUR_SECONDS, DAY_SECONDS = 3_600, 86_400


def read_window(context: JobContext, as_of_at: int) -> DataFrame:
    """Clean events of the settings' window that end at `as_of_at` (epoch seconds, exclusive)."""
    start_at = as_of_at - context.settings.window_days * DAY_SECONDS
    return read_span(context, start_at, as_of_at)


def read_span(context: JobContext, start_at: int, end_at: int) -> DataFrame:
    """Clean events of [start_at, end_at), epoch seconds, less those of types that weigh nothing.

    MissingInput when no day of it was cleaned.
    """
    days = cleaned_days(context, start_at, end_at)
    events = read_folder(context, CLEAN_EVENTS, *(CLEAN_EVENTS.partition(context.lake, day) for day in days))
    within = (F.col(OCCURRED_AT) >= instant(start_at)) & (F.col(OCCURRED_AT) < instant(end_at))
    return events.where(within & ~F.col(EVENT_TYPE).isin(weightless_types(context.settings.event_weights)))


def window_digest(context: JobContext, as_of_at: int) -> str:
    """Digest of all that `read_window` would read."""
    days = cleaned_days(context, as_of_at - context.settings.window_days * DAY_SECONDS, as_of_at)
    return digest_of(*(f"{day}={digest}" for day, digest in days.items()), str(as_of_at))


def cleaned_days(context: JobContext, start_at: int, end_at: int) -> dict[str, str]:
    """Days of the span with the digests of their clean events, oldest first; days without events are not there."""
    first, last = day_of(start_at), last_day(end_at)
    names = (folder.name.partition("=")[2] for folder in CLEAN_EVENTS.path(context.lake).glob(f"{DATE}=*"))
    made_by = f"python -m headrace hour {context.key}"
    days = {
        day: Manifest.read(CLEAN_EVENTS.partition(context.lake, day), made_by=made_by).digest
        for day in sorted(names)
        if first <= day <= last
    }
    if not days:
        raise MissingInput(f"no clean events from {first} to {last}; import events of that time, then run: {made_by}")
    return days


def instant(seconds: int) -> Column:
    """A timestamp from epoch seconds."""
    return F.timestamp_seconds(F.lit(seconds))


def day_of(seconds: int) -> str:
    """The UTC day of an instant, as partitions name it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def last_day(end_at: int) -> str:
    """The last day that a span ending at `end_at`, exclusive, touches."""
    return (datetime.fromtimestamp(end_at, UTC) - timedelta(microseconds=1)).strftime("%Y-%m-%d")

"""Late hours: which hours got late events after they were made, and the end of that mark once they are made again."""

import json
import logging
import sys
from datetime import timedelta

from contracts.intervals import Interval
from contracts.lake_notes import dirty_hours, dirty_marker, mark_dirty, marked_at_ns
from contracts.manifest import FILE_NAME, Manifest
from spark_jobs.context import JobContext, run_alone
from spark_jobs.passed_check import publish_folder
from spark_jobs.seal import MARKED_AT_NS, seal_folder

JOB = "late_hours"
HOURS_A_RUN = 6  # the rest waits for the next run, so that one flood of late events does not fill the queue
UNDER_WAY = timedelta(hours=3)  # longer no run of an hour may take
logger = logging.getLogger(__name__)


def run(context: JobContext) -> None:
    """Write the hours to make again to standard output, as one line of JSON; forget marks that are too old."""
    for key in expired(context):
        dirty_marker(context.lake, key).unlink(missing_ok=True)
        logger.info("event=late_hour_expired hour=%s late_hours=%d", key, context.settings.late_hours)
    hours = to_make_again(context)
    logger.info("event=job_done job=%s interval=%s rows=%d seconds=0.000", JOB, context.key, len(hours))
    sys.stdout.write(json.dumps([{"start": key, "marked_at_ns": marked} for key, marked in hours]) + "\n")
    sys.stdout.flush()


def expired(context: JobContext) -> list[str]:
    """Dirty hours that ended before all that is made again."""
    oldest = context.interval.end_at - timedelta(hours=context.settings.late_hours)
    return [key for key in dirty_hours(context.lake) if Interval.of_key(key).end_at <= oldest]


def to_make_again(context: JobContext) -> list[tuple[str, int]]:
    """Dirty hours before the interval, oldest first, with their marks; a bounded number of them.

    The interval itself is the live hour's own affair. An hour that was never sealed is not made here for the first
    time (its own run reads the late events), and one that is being made now waits.
    """
    found = []
    for key, marked in dirty_hours(context.lake).items():
        if Interval.of_key(key).end_at > context.interval.start_at:
            continue
        if not (seal_folder(context.lake, key) / FILE_NAME).exists():
            logger.info("event=late_hour_left hour=%s reason=never_sealed", key)
        elif is_under_way(context, key):
            logger.info("event=late_hour_left hour=%s reason=under_way", key)
        else:
            found.append((key, marked))
    return found[:HOURS_A_RUN]


def is_under_way(context: JobContext, key: str) -> bool:
    """Whether an hour was sealed lately and not published since."""
    sealed = seal_folder(context.lake, key) / FILE_NAME
    published = publish_folder(context.lake, key) / FILE_NAME
    if published.exists() and published.stat().st_mtime_ns >= sealed.stat().st_mtime_ns:
        return False
    return sealed.stat().st_mtime > (context.interval.end_at - UNDER_WAY).timestamp()


def settle(context: JobContext) -> None:
    """End the interval's mark when its late events were there already when the hour was sealed; a newer mark stays."""
    sealed = seal_folder(context.lake, context.key)
    if not (sealed / FILE_NAME).exists():
        return
    read_until = int(Manifest.read(sealed, made_by="the hour's seal").figures.get(MARKED_AT_NS, 0))
    marker = dirty_marker(context.lake, context.key)
    marked = marked_at_ns(context.lake, context.key)
    if not marked or marked > read_until:
        return
    aside = marker.with_name(f".{marker.name}.settled")
    marker.rename(aside)  # from here on a new mark is a new file
    if aside.stat().st_mtime_ns > read_until:  # marked again between looking and moving
        mark_dirty(context.lake, context.key)
    aside.unlink()
    logger.info("event=late_hour_settled hour=%s", context.key)


if __name__ == "__main__":
    run_alone(run, spark=False)

"""Seal the hour: nothing reads its events before the archiver has brought all that was received in it."""

import logging
import time
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq

from contracts.errors import MissingInput
from contracts.intervals import format_instant
from contracts.lake import EVENTS, INTERVAL
from contracts.lake_notes import archived_until, marked_at_ns, watermark_file
from contracts.manifest import Manifest, digest_of
from spark_jobs.context import JobContext, Stopwatch, log_done, run_alone

JOB = "seal"
SEALS = "seals"
ARCHIVED_UNTIL, MARKED_AT_NS, WAITED_SECONDS = "archived_until", "marked_at_ns", "waited_seconds"
NO_STREAM = "no_stream"
POLL_SECONDS = 0.2
logger = logging.getLogger(__name__)


def run(context: JobContext) -> None:
    """Wait until the lake has the whole hour, and note what was seen; MissingInput when the archiver stays behind.

    Rows are the hour's raw events. The note keeps when the hour was last marked dirty: late events up to that mark
    are read by all that follows.
    """
    watch, folder = Stopwatch(), seal_folder(context.lake, context.key)
    until = await_archiver(context)
    seen = format_instant(until) if until else NO_STREAM
    figures: dict[str, float | int | str] = {
        ARCHIVED_UNTIL: seen,
        WAITED_SECONDS: watch.seconds,
        MARKED_AT_NS: marked_at_ns(context.lake, context.key),
    }
    files = raw_files(context)
    digest = digest_of(*(file.name for file in files))
    folder.mkdir(parents=True, exist_ok=True)
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    manifest = Manifest(JOB, rows, digest, {}, watch.seconds, figures)
    manifest.write(folder)
    log_done(context, manifest)


def await_archiver(context: JobContext) -> datetime | None:
    """The watermark once it has reached the interval's end; None when no stream is in use."""
    end_at, deadline = context.interval.end_at, time.monotonic() + context.settings.seal_wait_seconds
    while True:
        until = archived_until(context.lake)
        if until is None:
            logger.info("event=no_watermark interval=%s; events come by import alone, nothing to wait for", context.key)
            return None
        if until >= end_at:
            return until
        if time.monotonic() >= deadline:
            raise MissingInput(_behind(context, until))
        time.sleep(POLL_SECONDS)


def seal_folder(lake: Path, interval_key: str) -> Path:
    """Where the note of an hour's seal lies."""
    return lake / SEALS / f"{INTERVAL}={interval_key}"


def raw_files(context: JobContext) -> list[Path]:
    """Files of the hour's raw events, by name."""
    at = context.interval.start_at
    return sorted(EVENTS.partition(context.lake, f"{at:%Y-%m-%d}", f"{at:%H}").glob("*.parquet"))


def _behind(context: JobContext, until: datetime) -> str:
    return (
        f"hour {context.key} is not sealed: the archiver has brought events received until {format_instant(until)} "
        f"and the hour ends at {format_instant(context.interval.end_at)}, after {context.settings.seal_wait_seconds} s "
        "of waiting (HEADRACE_SEAL_WAIT_SECONDS). See whether it runs: python -m headrace archive; then clear this "
        f"task. If no stream is used any more, remove {watermark_file(context.lake)}"
    )


if __name__ == "__main__":
    run_alone(run, spark=False)

"""Remove what the settings no longer keep, so that the disk stays bounded; what serves or may serve again stays."""

import logging
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from contracts.errors import BadInput, CorruptData
from contracts.intervals import Interval
from contracts.lake import (
    ATTRIBUTIONS,
    CLEAN_EVENTS,
    DEAD_LETTERS,
    EVENTS,
    IMPRESSIONS,
    INTERVAL,
    REJECTS,
    TRAINING_SET,
)
from contracts.lake_notes import dirty_hours, dirty_marker
from contracts.manifest import FILE_NAME
from contracts.serving_model import ServingModel, named_intervals, read_serving_model, serving_file
from models.bundle import MANIFEST_FILE
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.fences import claims
from spark_jobs.held_files import HELD
from spark_jobs.passed_check import publish_folder
from spark_jobs.people_in_order import SCRATCH
from spark_jobs.profile_table import drop_profile_tables
from spark_jobs.seal import SEALS

JOB = "retention"
UNFINISHED = timedelta(hours=6)  # an hour made again may be older than all that is kept; let it end in peace
LABEL_WINDOWS = 3  # training sets kept: those of the last ranker, of its gate, and of the one before
logger = logging.getLogger(__name__)


def run(context: JobContext) -> None:
    """Remove what is too old as of the interval's end; running it twice removes nothing more."""
    watch, removed_bytes, removed = Stopwatch(), 0, 0
    for path in doomed(context):
        removed_bytes += _size(path)
        removed += 1
        _remove(path)
    _drop_tables(context)
    logger.info(
        "event=job_done job=%s interval=%s removed=%d bytes=%d seconds=%.3f",
        *(JOB, context.key, removed, removed_bytes, watch.seconds),
    )


def doomed(context: JobContext) -> Iterator[Path]:
    """Every folder and file that is too old as of the interval's end."""
    yield from _intervals(context)
    yield from _event_days(context)
    yield from _late_marks(context)
    yield from _trained(context)
    yield from _leftovers(context)
    yield from _old_files(context)


def kept_intervals(context: JobContext) -> set[str]:
    """Hours that stay however old: those of versions whose keys may lie in the store, the serving one among them."""
    return {claim.interval for claim in claims(context.lake)}


def _intervals(context: JobContext) -> Iterator[Path]:
    """Partitions, bundles and profiles of hours that are past keeping."""
    end_at, kept = context.interval.end_at, kept_intervals(context)
    oldest = end_at - timedelta(hours=context.settings.keep_hours)
    oldest_of = {
        TRAINING_SET.path(context.lake): end_at - timedelta(hours=LABEL_WINDOWS * context.settings.label_window_hours),
        context.lake / SEALS: end_at - timedelta(hours=context.settings.late_hours),  # late hours are known by them
    }
    found: dict[str, list[Path]] = {}
    for key in named_intervals(context.layout):  # first, so that nothing is named that is gone
        found.setdefault(key, []).append(serving_file(context.layout, key))
    for folder in context.lake.glob(f"*/{INTERVAL}=*"):
        if folder.parent != ATTRIBUTIONS.path(context.lake):  # kept as long as the events that they are made of
            found.setdefault(folder.name.partition("=")[2], []).append(folder)
    for bundles in (context.layout.candidates, context.layout.profiles):
        for folder in bundles.glob("[!.]*"):
            found.setdefault(folder.name, []).append(folder)
    for key, folders in sorted(found.items()):
        start_at = _start_of(key)
        if start_at is None or start_at >= oldest or key in kept or _is_under_way(context, key, folders):
            continue
        yield from (folder for folder in folders if start_at < oldest_of.get(folder.parent, oldest))


def _drop_tables(context: JobContext) -> None:
    """Drop the profiles of hours that are past keeping, where they lie in a database."""
    oldest = context.interval.end_at - timedelta(hours=context.settings.keep_hours)

    def is_past(key: str) -> bool:
        start_at = _start_of(key)
        return start_at is not None and start_at < oldest and not (context.layout.profiles / key).exists()

    if context.settings.profiles_url:
        for name in drop_profile_tables(context.settings.profiles_url, is_past):
            logger.info("event=removed table=%s", name)


def _is_under_way(context: JobContext, key: str, folders: list[Path]) -> bool:
    if (publish_folder(context.lake, key) / FILE_NAME).exists():
        return False
    return any(_touched_after(folder, context.interval.end_at - UNFINISHED) for folder in folders)


def _event_days(context: JobContext) -> Iterator[Path]:
    """Days of what people did and were shown, past the days of events kept; refused events, past those of logs."""
    kept = dict.fromkeys((EVENTS, CLEAN_EVENTS, IMPRESSIONS, ATTRIBUTIONS), context.settings.keep_event_days)
    for table, days in (kept | {DEAD_LETTERS: context.settings.keep_log_days}).items():
        oldest = (context.interval.end_at - timedelta(days=days)).strftime("%Y-%m-%d")
        for folder in sorted(table.path(context.lake).glob(f"{table.partition_by[0]}=*")):
            if folder.name.partition("=")[2] < oldest:  # an hour's key begins with its day
                yield folder


def _late_marks(context: JobContext) -> Iterator[Path]:
    """Marks of hours that are past being made again for late events."""
    oldest = context.interval.end_at - timedelta(hours=context.settings.late_hours)
    for key in dirty_hours(context.lake):
        if Interval.of_key(key).end_at <= oldest:
            yield dirty_marker(context.lake, key)


def _trained(context: JobContext) -> Iterator[Path]:
    """All but the newest finished rankers and session models; what may serve an hour that is kept stays besides."""
    named = list(_named_models(context))
    yield from _all_but_newest(context, context.layout.rankers, {model.ranker for model in named})
    yield from _all_but_newest(context, context.layout.sessions, {model.session for model in named})


def _named_models(context: JobContext) -> Iterator[ServingModel]:
    for key in named_intervals(context.layout):
        try:
            yield read_serving_model(context.layout, key)
        except CorruptData as error:  # it names nothing, and goes with its hour
            logger.warning("event=no_names interval=%s error=%s", key, error)


def _all_but_newest(context: JobContext, bundles: Path, named: set[str]) -> Iterator[Path]:
    keys = [
        folder.name
        for folder in sorted(bundles.glob("*"))
        if _start_of(folder.name) is not None and (folder / MANIFEST_FILE).exists()
    ]
    usable = [key for key in keys if Interval.of_key(key).start_at <= context.interval.end_at]
    kept = {*keys[-context.settings.keep_ranker_bundles :], *usable[-1:], *named}
    yield from (bundles / key for key in keys if key not in kept)


def _leftovers(context: JobContext) -> Iterator[Path]:
    """What a killed job left: half-written folders beside the finished ones, the training's scratch, held files."""
    layout, limit = context.layout, context.interval.end_at - UNFINISHED
    bundles = (layout.candidates, layout.rankers, layout.sessions, layout.profiles, layout.serving_models)
    places = [*layout.lake.glob("*"), *bundles]
    found = {path for place in places for pattern in ("*.partial", ".*.old") for path in place.glob(pattern)}
    found.update((layout.cache / "training").glob("*"))
    found.update(layout.cache.glob(f"{SCRATCH}-*"))
    found.update((layout.lake / HELD).glob("*"))
    yield from (path for path in sorted(found) if not _touched_after(path, limit))


def _old_files(context: JobContext) -> Iterator[Path]:
    """Rejects, logs and compiled rankers past the days kept; a log directly under logs belongs to a process."""
    limit = context.interval.end_at - timedelta(days=context.settings.keep_log_days)
    files = [path for path in context.layout.logs.glob("*/**/*") if path.is_file()]
    files += [path for path in context.layout.cache.glob("*") if path.is_file()]
    files += REJECTS.path(context.lake).glob("*=*")
    yield from (path for path in sorted(files) if not _touched_after(path, limit))


def _start_of(key: str) -> datetime | None:
    try:
        return Interval.of_key(key).start_at
    except BadInput:  # a folder of something else
        return None


def _touched_after(path: Path, limit: datetime) -> bool:
    return path.stat().st_mtime > limit.timestamp()


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _remove(path: Path) -> None:
    if path.is_file():
        path.unlink(missing_ok=True)
        return
    for manifest in (FILE_NAME, MANIFEST_FILE):  # first, so that a folder half removed counts as unfinished
        (path / manifest).unlink(missing_ok=True)
    shutil.rmtree(path)
    logger.info("event=removed path=%s", path)


if __name__ == "__main__":
    run_alone(run, spark=False)

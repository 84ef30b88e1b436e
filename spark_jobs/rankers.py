"""Which ranker and which session model an interval uses: the newest that saw nothing after the interval's end."""

from pathlib import Path

from contracts.errors import BadInput, MissingInput
from contracts.intervals import HOUR, Interval
from models.bundle import MANIFEST_FILE
from spark_jobs.context import JobContext


def ranker_of(context: JobContext) -> Path:
    """Folder of the interval's ranker; MissingInput names the command that makes one."""
    found = _bundles_until(context.layout.rankers, Interval.ending_at(context.interval.end_at + HOUR))
    if not found:
        day = context.interval.end_at.date()
        raise MissingInput(
            f"{context.layout.rankers} has no ranker whose labels end by {context.interval.end_at:%Y-%m-%dT%H}; "
            f"make one with: python -m headrace train DATE, with a DATE before {day}"
        )
    return found[-1]


def ranker_before(context: JobContext) -> Path | None:
    """Folder of the ranker that was newest before the interval's end, if there is one."""
    found = _bundles_until(context.layout.rankers, Interval.ending_at(context.interval.end_at))
    return found[-1] if found else None


def ranker_folder(context: JobContext) -> Path:
    """Where the ranker is saved whose labels end with the interval."""
    return context.layout.rankers / ending_key(context.interval)


def session_model_of(context: JobContext) -> Path | None:
    """Folder of the interval's session model; nothing where none was made by then."""
    found = _bundles_until(context.layout.sessions, Interval.ending_at(context.interval.end_at + HOUR))
    return found[-1] if found else None


def session_model_before(context: JobContext) -> Path | None:
    """Folder of the session model that was newest before the interval's end, if there is one."""
    found = _bundles_until(context.layout.sessions, Interval.ending_at(context.interval.end_at))
    return found[-1] if found else None


def session_model_folder(context: JobContext) -> Path:
    """Where the session model is saved whose sessions end with the interval."""
    return context.layout.sessions / ending_key(context.interval)


def ending_key(interval: Interval) -> str:
    """Key of the instant at which an interval ends."""
    return Interval(interval.end_at, interval.end_at + HOUR).key


def _bundles_until(bundles: Path, last: Interval) -> list[Path]:
    return sorted(
        folder for folder in bundles.glob("*") if (folder / MANIFEST_FILE).exists() and _ends_by(folder.name, last)
    )


def _ends_by(key: str, last: Interval) -> bool:
    try:
        return Interval.of_key(key) <= last
    except BadInput:  # a folder of something else
        return False

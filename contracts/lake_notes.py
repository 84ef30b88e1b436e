"""What the archiver leaves for the batch beside the tables: up to when the lake is whole, and which hours came late.

The watermark is one JSON file, `{"archived_until": "2026-01-31T08:00:03Z", …}`: every record received before that
instant is in the lake. A dirty hour is an empty file named by its interval key, touched after late events of that hour
were laid down; its modification time tells them apart.
"""

import json
from datetime import datetime
from pathlib import Path

from contracts.errors import BadInput, CorruptData
from contracts.intervals import Interval, parse_instant

WATERMARK_FILE, ARCHIVED_UNTIL = "watermark.json", "archived_until"
DIRTY_HOURS = "dirty_hours"


def watermark_file(lake: Path) -> Path:
    """Where the archiver keeps the watermark."""
    return lake / WATERMARK_FILE


def archived_until(lake: Path) -> datetime | None:
    """The watermark; None when no archiver ever worked on this lake, CorruptData when it is something else."""
    try:
        return parse_instant(json.loads(watermark_file(lake).read_text())[ARCHIVED_UNTIL])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, BadInput) as error:
        raise CorruptData(
            f"{watermark_file(lake)} is no watermark ({error!r}); start the archiver, which writes it anew: "
            "python -m headrace archive"
        ) from error


def dirty_marker(lake: Path, interval_key: str) -> Path:
    """File that says that an hour got late events."""
    return lake / DIRTY_HOURS / interval_key


def dirty_hours(lake: Path) -> dict[str, int]:
    """Hours that got late events, oldest first, with the nanoseconds at which they were marked last."""
    found = {}
    for marker in sorted((lake / DIRTY_HOURS).glob("[!.]*")):
        try:
            found[Interval.of_key(marker.name).key] = marker.stat().st_mtime_ns
        except (BadInput, FileNotFoundError):  # a file of something else, or one that was settled just now
            continue
    return found


def mark_dirty(lake: Path, interval_key: str) -> None:
    """Mark an hour, or mark it again; to be done after its late events are in place."""
    marker = dirty_marker(lake, interval_key)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()


def marked_at_ns(lake: Path, interval_key: str) -> int:
    """Nanoseconds at which an hour was marked last; 0 when it is not dirty."""
    try:
        return dirty_marker(lake, interval_key).stat().st_mtime_ns
    except FileNotFoundError:
        return 0

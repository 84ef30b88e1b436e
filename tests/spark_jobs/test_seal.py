"""An hour starts only when the lake has all of it, or when no archiver could ever tell."""

import json
import threading
import time
from pathlib import Path

import pytest

from contracts.errors import CorruptData, MissingInput
from contracts.intervals import Interval
from contracts.lake_notes import mark_dirty, marked_at_ns, watermark_file
from contracts.manifest import Manifest
from spark_jobs import seal
from spark_jobs.context import JobContext
from spark_jobs.seal import ARCHIVED_UNTIL, MARKED_AT_NS, NO_STREAM, seal_folder
from tests.worlds import INTERVAL, at_utc, event_row, small_settings, write_events


def hour(root: Path, *, wait_seconds: int = 0, interval: Interval = INTERVAL) -> JobContext:
    return JobContext(interval, small_settings(root, seal_wait_seconds=wait_seconds))


def put_watermark(root: Path, until: str) -> None:
    file = watermark_file(root / "lake")
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps({"archived_until": until, "offset": "1-0"}))
    partial.replace(file)


def sealed(context: JobContext) -> Manifest:
    seal.run(context)
    return Manifest.read(seal_folder(context.lake, context.key), made_by="")


def test_without_a_stream_an_hour_is_sealed_at_once_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert sealed(hour(tmp_path, wait_seconds=60)).figures[ARCHIVED_UNTIL] == NO_STREAM
    assert "events come by import alone" in caplog.text


@pytest.mark.parametrize("until", ["2026-01-31T08:00:00Z", "2026-03-01T00:00:00.5Z"])
def test_an_hour_that_is_archived_to_its_end_is_sealed_at_once(tmp_path: Path, until: str) -> None:
    put_watermark(tmp_path, until)
    write_events(tmp_path, [event_row(name, "u", "tea", at=at_utc("2026-01-31T07:10:00")) for name in ("a", "b")])
    assert sealed(hour(tmp_path)).rows == 2


def test_an_archiver_that_stays_behind_is_named_with_what_to_do(tmp_path: Path) -> None:
    put_watermark(tmp_path, "2026-01-31T07:59:59.9Z")
    with pytest.raises(MissingInput, match=r"received until 2026-01-31T07:59:59Z.*python -m headrace archive"):
        seal.run(hour(tmp_path))
    assert not seal_folder(tmp_path / "lake", INTERVAL.key).exists()


def test_it_waits_for_an_archiver_that_catches_up(tmp_path: Path) -> None:
    put_watermark(tmp_path, "2026-01-31T07:00:00Z")
    later = threading.Timer(0.3, put_watermark, (tmp_path, "2026-01-31T08:00:01Z"))
    later.start()
    started = time.monotonic()
    found = sealed(hour(tmp_path, wait_seconds=30))
    later.join()
    assert found.figures[ARCHIVED_UNTIL] == "2026-01-31T08:00:01Z"
    assert 0.2 < time.monotonic() - started < 20


def test_the_note_keeps_when_the_hour_was_last_marked(tmp_path: Path) -> None:
    assert sealed(hour(tmp_path)).figures[MARKED_AT_NS] == 0
    mark_dirty(tmp_path / "lake", INTERVAL.key)
    assert sealed(hour(tmp_path)).figures[MARKED_AT_NS] == marked_at_ns(tmp_path / "lake", INTERVAL.key) > 0


def test_a_watermark_that_is_none_is_not_taken_for_one(tmp_path: Path) -> None:
    watermark_file(tmp_path).parent.mkdir(exist_ok=True)
    put_watermark(tmp_path, "yesterday")
    with pytest.raises(CorruptData, match="python -m headrace archive"):
        seal.run(hour(tmp_path))

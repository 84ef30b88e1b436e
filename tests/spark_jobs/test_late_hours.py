"""Hours with late events are made again, oldest first, and a mark ends only when its events were read."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.intervals import Interval
from contracts.lake_notes import dirty_hours, dirty_marker, mark_dirty, marked_at_ns
from contracts.manifest import Manifest
from spark_jobs import late_hours, seal
from spark_jobs.context import JobContext
from spark_jobs.late_hours import HOURS_A_RUN, settle, to_make_again
from spark_jobs.passed_check import publish_folder
from spark_jobs.seal import seal_folder
from tests.worlds import small_settings

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def ago(hours: int) -> Interval:
    """The hour that ended `hours` hours before the live one."""
    return Interval.ending_at(NOW - timedelta(hours=hours))


def context_of(root: Path, interval: Interval | None = None) -> JobContext:
    return JobContext(interval or ago(0), small_settings(root))


def make(root: Path, hour: Interval) -> None:
    """What a finished run of an hour leaves: its seal, then the note of its publish."""
    seal.run(context_of(root, hour))
    folder = publish_folder(root / "lake", hour.key)
    folder.mkdir(parents=True, exist_ok=True)
    Manifest("publish", 0, "").write(folder)


def make_dirty(root: Path, *hours: Interval) -> None:
    for hour in hours:
        make(root, hour)
        mark_dirty(root / "lake", hour.key)


def chosen(root: Path) -> list[str]:
    return [key for key, _ in to_make_again(context_of(root))]


def test_dirty_hours_are_made_again_oldest_first_and_a_bounded_number_a_run(tmp_path: Path) -> None:
    hours = [ago(number) for number in range(1, HOURS_A_RUN + 3)]
    make_dirty(tmp_path, *hours)
    assert chosen(tmp_path) == [hour.key for hour in reversed(hours)][:HOURS_A_RUN]


def test_the_live_hour_is_left_to_its_own_run(tmp_path: Path) -> None:
    make_dirty(tmp_path, ago(0), ago(1))
    assert chosen(tmp_path) == [ago(1).key]


def test_an_hour_that_was_never_made_has_nothing_to_make_again(tmp_path: Path) -> None:
    mark_dirty(tmp_path / "lake", ago(3).key)
    assert chosen(tmp_path) == []
    assert dirty_hours(tmp_path / "lake").keys() == {ago(3).key}


def test_an_hour_that_is_being_made_waits_unless_its_run_must_be_dead(tmp_path: Path) -> None:
    make_dirty(tmp_path, ago(2))
    seal.run(context_of(tmp_path, ago(2)))
    assert chosen(tmp_path) == []
    long_ago = time.time() - 5 * 3600
    for folder in (seal_folder, publish_folder):
        (manifest,) = folder(tmp_path / "lake", ago(2).key).iterdir()
        os.utime(manifest, (long_ago, long_ago - (folder is publish_folder)))
    assert chosen(tmp_path) == [ago(2).key]


def test_marks_older_than_the_late_hours_are_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    make_dirty(tmp_path, ago(73), ago(71))
    late_hours.run(context_of(tmp_path))
    marked = marked_at_ns(tmp_path / "lake", ago(71).key)
    assert json.loads(capsys.readouterr().out) == [{"start": ago(71).key, "marked_at_ns": marked}]
    assert dirty_hours(tmp_path / "lake").keys() == {ago(71).key}
    assert f"event=late_hour_expired hour={ago(73).key}" in caplog.text


def test_a_mark_ends_when_the_hour_was_made_again_with_its_events(tmp_path: Path) -> None:
    make_dirty(tmp_path, ago(1))
    make(tmp_path, ago(1))
    settle(context_of(tmp_path, ago(1)))
    assert not list(dirty_marker(tmp_path / "lake", ago(1).key).parent.iterdir())


def test_a_mark_set_again_while_the_hour_was_being_made_stays(tmp_path: Path) -> None:
    make_dirty(tmp_path, ago(1))
    make(tmp_path, ago(1))
    newer = marked_at_ns(tmp_path / "lake", ago(1).key) + 1
    os.utime(dirty_marker(tmp_path / "lake", ago(1).key), ns=(newer, newer))
    settle(context_of(tmp_path, ago(1)))
    assert dirty_hours(tmp_path / "lake") == {ago(1).key: newer}


def test_settling_an_hour_that_is_clean_or_was_never_sealed_is_no_error(tmp_path: Path) -> None:
    mark_dirty(tmp_path / "lake", ago(2).key)
    make(tmp_path, ago(1))
    settle(context_of(tmp_path, ago(1)))
    settle(context_of(tmp_path, ago(2)))
    assert dirty_hours(tmp_path / "lake").keys() == {ago(2).key}


def test_files_of_something_else_are_no_dirty_hours(tmp_path: Path) -> None:
    make_dirty(tmp_path, ago(1))
    (tmp_path / "lake" / "dirty_hours" / "README").touch()
    assert chosen(tmp_path) == [ago(1).key]

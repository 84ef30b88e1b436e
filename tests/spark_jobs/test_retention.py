"""Thirty days leave a bounded disk, and nothing that serves, may serve again, or is being made, is removed."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.intervals import Interval
from contracts.lake import ATTRIBUTIONS, DEAD_LETTERS, EVENTS, IMPRESSIONS, INTERACTIONS, LISTS, TRAINING_SET
from contracts.lake_notes import dirty_hours, mark_dirty
from contracts.manifest import Manifest
from contracts.serving_model import ServingModel, named_intervals, serving_file, write_serving_model
from contracts.settings import Layout, Settings
from models.bundle import write_bundle
from spark_jobs import retention
from spark_jobs.context import JobContext
from spark_jobs.fences import folder_of
from spark_jobs.held_files import HELD
from spark_jobs.passed_check import publish_folder
from spark_jobs.seal import seal_folder

DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_TABLES = (INTERACTIONS, LISTS)
KEEP = {"keep_hours": 48, "keep_event_days": 10, "keep_ranker_bundles": 3, "keep_log_days": 5}


def context_at(root: Path, end_at: datetime, **settings: object) -> JobContext:
    chosen = {**KEEP, "label_window_hours": 24, **settings}
    return JobContext(Interval(end_at - timedelta(days=1), end_at), Settings(root=root, **chosen))  # type: ignore[arg-type]


def age(paths: Iterable[Path], at: datetime) -> None:
    for path in paths:
        for inner in [*path.rglob("*"), path]:
            os.utime(inner, (at.timestamp(), at.timestamp()))


def put_folder(folder: Path, at: datetime, job: str = "test") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "part-0.parquet").write_bytes(b"x" * 100)
    Manifest(job, 1, "d").write(folder)
    age([folder], at)
    return folder


def put_hour(root: Path, start_at: datetime, *, finished: bool = True) -> None:
    """What an hour leaves: partitions, candidate bundle, profiles, names of its models, and the note of its publish."""
    lake, key, at = root / "lake", Interval.ending_at(start_at + timedelta(hours=1)).key, start_at
    for table in HOUR_TABLES:
        put_folder(table.partition(lake, key), at)
    put_bundle(root / "bundles" / "candidates" / key, at)
    put_bundle(root / "bundles" / "profiles" / key, at)
    write_serving_model(Layout(root), ServingModel(key, key, f"{key[:10]}T00", "", key))
    age([serving_file(Layout(root), key)], at)
    if finished:
        put_folder(publish_folder(lake, key), at)


def put_bundle(folder: Path, at: datetime) -> None:
    write_bundle(folder, lambda partial: (partial / "model.txt").write_text("trees") and None, {})
    age([folder], at)


def put_file(path: Path, at: datetime) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("words")
    age([path], at)
    return path


def put_claim(root: Path, fence: int, interval_key: str) -> None:
    folder = folder_of(root / "lake", fence)
    folder.mkdir(parents=True)
    figures: dict[str, float | int | str] = {"version": f"{interval_key}.{fence}", "interval": interval_key}
    Manifest("claim_fence", 0, "", figures=figures).write(folder)


def live_a_day(root: Path, start_at: datetime) -> None:
    """One simulated day, its hours six hours apart, ending with retention."""
    lake, day = root / "lake", start_at.strftime("%Y-%m-%d")
    for hour in range(0, 24, 6):
        put_hour(root, start_at + timedelta(hours=hour))
    put_folder(EVENTS.partition(lake, day, "00"), start_at)
    put_folder(TRAINING_SET.partition(lake, f"{day}T00"), start_at)
    put_bundle(root / "bundles" / "ranker" / f"{day}T00", start_at)
    put_file(root / "logs" / "dag" / f"{day}.log", start_at)
    put_file(root / "cache" / f"{day}.o", start_at)
    put_folder(lake / "rejects" / f"import_id={day}", start_at)
    put_folder(lake / "lists" / f".interval={day}T00.partial", start_at)
    retention.run(context_at(root, start_at + timedelta(days=1)))


def files_under(root: Path) -> int:
    return sum(path.is_file() for path in root.rglob("*"))


def test_thirty_days_end_with_a_bounded_disk(tmp_path: Path) -> None:
    counts = []
    for day in range(30):
        live_a_day(tmp_path, DAY_ZERO + timedelta(days=day))
        counts.append(files_under(tmp_path))
    assert max(counts[12:]) == counts[12] == counts[-1] < 160
    assert sorted(folder.name for folder in (tmp_path / "bundles" / "ranker").iterdir()) == [
        "2026-01-28T00", "2026-01-29T00", "2026-01-30T00",
    ]  # fmt: skip
    assert (tmp_path / "lake" / "lists" / "interval=2026-01-30T18").exists()
    assert not (tmp_path / "lake" / "lists" / "interval=2026-01-28T18").exists()


def test_running_twice_removes_nothing_more(tmp_path: Path) -> None:
    live_a_day(tmp_path, DAY_ZERO)
    before = files_under(tmp_path)
    retention.run(context_at(tmp_path, DAY_ZERO + timedelta(days=1)))
    assert files_under(tmp_path) == before


def test_hours_whose_versions_may_serve_stay(tmp_path: Path) -> None:
    for hour in (0, 6, 12):
        put_hour(tmp_path, DAY_ZERO + timedelta(hours=hour))
    put_claim(tmp_path, 1, "2026-01-01T06")
    put_claim(tmp_path, 2, "2026-01-01T12")
    retention.run(context_at(tmp_path, DAY_ZERO + timedelta(days=20)))
    left = sorted(folder.name for folder in (tmp_path / "lake" / "lists").iterdir())
    assert left == ["interval=2026-01-01T06", "interval=2026-01-01T12"]
    assert (tmp_path / "bundles" / "candidates" / "2026-01-01T12").exists()
    assert not (tmp_path / "bundles" / "candidates" / "2026-01-01T00").exists()
    profiles = sorted(folder.name for folder in (tmp_path / "bundles" / "profiles").iterdir())
    assert profiles == named_intervals(Layout(tmp_path)) == ["2026-01-01T06", "2026-01-01T12"]


def test_what_is_named_for_an_hour_that_stays_stays_with_it(tmp_path: Path) -> None:
    for day in range(1, 9):
        for kind in ("ranker", "session"):
            put_bundle(tmp_path / "bundles" / kind / f"2026-01-{day:02}T00", DAY_ZERO)
    model = ServingModel("2026-01-02T06", "2026-01-02T06", "2026-01-02T00", "2026-01-01T00", "2026-01-02T06")
    write_serving_model(Layout(tmp_path), model)
    put_claim(tmp_path, 1, "2026-01-02T06")
    retention.run(context_at(tmp_path, DAY_ZERO + timedelta(days=20)))
    left = {
        kind: sorted(path.name[8:10] for path in (tmp_path / "bundles" / kind).iterdir())
        for kind in ("ranker", "session")
    }
    assert left == {"ranker": ["02", "06", "07", "08"], "session": ["01", "06", "07", "08"]}


def test_names_of_models_that_cannot_be_read_stop_nothing(tmp_path: Path) -> None:
    put_file(serving_file(Layout(tmp_path), "2026-01-01T06"), DAY_ZERO)
    put_claim(tmp_path, 1, "2026-01-01T06")
    retention.run(context_at(tmp_path, DAY_ZERO + timedelta(days=20)))
    assert named_intervals(Layout(tmp_path)) == ["2026-01-01T06"]


@pytest.mark.parametrize(("touched_hours_ago", "stays"), [(1, True), (7, False)])
def test_an_old_hour_that_is_being_made_again_stays(tmp_path: Path, touched_hours_ago: int, stays: bool) -> None:
    now = DAY_ZERO + timedelta(days=20)
    put_hour(tmp_path, DAY_ZERO, finished=False)
    age([tmp_path / "lake"], now - timedelta(hours=touched_hours_ago))
    retention.run(context_at(tmp_path, now))
    assert (tmp_path / "lake" / "lists" / "interval=2026-01-01T00").exists() is stays


def test_training_sets_of_three_label_windows_stay(tmp_path: Path) -> None:
    for day in (1, 17, 18, 19):
        put_folder(TRAINING_SET.partition(tmp_path / "lake", f"2026-01-{day:02}T00"), DAY_ZERO)
    retention.run(context_at(tmp_path, DAY_ZERO + timedelta(days=20), keep_hours=1, label_window_hours=24))
    left = sorted(folder.name for folder in (tmp_path / "lake" / "training_set").iterdir())
    assert left == ["interval=2026-01-18T00", "interval=2026-01-19T00"]


def test_the_newest_ranker_that_a_past_hour_can_use_stays(tmp_path: Path) -> None:
    for day in range(1, 8):
        put_bundle(tmp_path / "bundles" / "ranker" / f"2026-01-{day:02}T00", DAY_ZERO)
    retention.run(context_at(tmp_path, datetime(2026, 1, 2, 12, tzinfo=UTC)))
    left = sorted(folder.name for folder in (tmp_path / "bundles" / "ranker").iterdir())
    assert left == ["2026-01-02T00", "2026-01-05T00", "2026-01-06T00", "2026-01-07T00"]


def test_logs_of_running_processes_and_strange_folders_stay(tmp_path: Path) -> None:
    now = DAY_ZERO + timedelta(days=30)
    log = put_file(tmp_path / "logs" / "gunicorn.log", DAY_ZERO)
    shelf = put_file(tmp_path / "cache" / "serving" / "popular", DAY_ZERO)
    notes = put_folder(tmp_path / "bundles" / "ranker" / "notes", DAY_ZERO)
    retention.run(context_at(tmp_path, now))
    assert log.exists()
    assert shelf.exists()
    assert notes.exists()


def test_an_empty_root_is_no_error(tmp_path: Path) -> None:
    retention.run(context_at(tmp_path, DAY_ZERO))


def test_what_people_were_shown_and_what_came_of_it_is_kept_as_long_as_events(tmp_path: Path) -> None:
    lake, now = tmp_path / "lake", datetime(2026, 1, 20, tzinfo=UTC)
    for day in ("2026-01-09", "2026-01-10"):  # ten days are kept
        put_folder(IMPRESSIONS.partition(lake, day, "23"), DAY_ZERO)
        put_folder(ATTRIBUTIONS.partition(lake, f"{day}T23"), DAY_ZERO)
    for day in ("2026-01-14", "2026-01-15"):  # of refused events five
        put_folder(DEAD_LETTERS.partition(lake, day, "23"), DAY_ZERO)
    retention.run(context_at(tmp_path, now))
    left = {folder.name: sorted(each.name for each in folder.iterdir()) for folder in lake.iterdir()}
    assert left == {
        "impressions": ["date=2026-01-10"],
        "attributions": ["interval=2026-01-10T23"],
        "dead_letters": ["date=2026-01-15"],
    }


def test_seals_are_kept_as_long_as_late_events_may_come(tmp_path: Path) -> None:
    for hour in ("2026-01-01T00", "2026-01-01T01"):
        put_folder(seal_folder(tmp_path / "lake", hour), DAY_ZERO)
        put_folder(LISTS.partition(tmp_path / "lake", hour), DAY_ZERO)
        put_folder(publish_folder(tmp_path / "lake", hour), DAY_ZERO)
    retention.run(context_at(tmp_path, datetime(2026, 1, 4, 1, tzinfo=UTC), keep_hours=48, late_hours=72))
    left = sorted(str(folder.relative_to(tmp_path / "lake")) for folder in (tmp_path / "lake").glob("*/*"))
    assert left == ["seals/interval=2026-01-01T01"]


def test_marks_of_hours_too_late_to_be_made_again_go(tmp_path: Path) -> None:
    for key in ("2026-01-01T00", "2026-01-01T01"):
        mark_dirty(tmp_path / "lake", key)
    retention.run(context_at(tmp_path, datetime(2026, 1, 2, 1, tzinfo=UTC), late_hours=24))
    assert dirty_hours(tmp_path / "lake").keys() == {"2026-01-01T01"}


@pytest.mark.parametrize(("hours_ago", "stays"), [(1, True), (7, False)])
def test_files_held_by_a_job_that_was_killed_go(tmp_path: Path, hours_ago: int, stays: bool) -> None:
    now = DAY_ZERO + timedelta(days=20)
    held = put_folder(tmp_path / "lake" / HELD / "of-a-process" / "0" / "items", now - timedelta(hours=hours_ago))
    age([tmp_path / "lake" / HELD], now - timedelta(hours=hours_ago))
    retention.run(context_at(tmp_path, now))
    assert held.exists() is stays

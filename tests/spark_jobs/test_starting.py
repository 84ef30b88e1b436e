"""Jobs start from a command line, and what is missing is named with its cure."""

import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts.errors import BadInput, MissingInput
from contracts.intervals import Interval
from contracts.lake import CLEAN_EVENTS
from contracts.manifest import Manifest
from contracts.pipeline import HOUR, TRAINING, interval_arguments, step_command
from contracts.settings import Settings
from spark_jobs import clean_events
from spark_jobs.context import JobContext, argument_parser, build_context
from spark_jobs.session import check_java
from spark_jobs.submit import SPARK_JOBS, load_job
from tests.worlds import INTERVAL, corner_shop, small_settings

CLEAN = next(step for step in HOUR if step.name == "clean_events")
BOUNDS = ["--interval-start", "2026-01-31T07:00:00Z", "--interval-end", "2026-01-31T08:00:00Z"]


def test_a_job_is_told_its_interval_its_root_and_whether_to_start_cold(tmp_path: Path) -> None:
    context = build_context(argument_parser().parse_args([*BOUNDS, "--root", str(tmp_path), "--cold"]))
    assert (context.interval, context.lake, context.cold) == (INTERVAL, tmp_path / "lake", True)


def test_every_spark_step_names_jobs_that_can_be_submitted() -> None:
    assert {job for step in (*HOUR, *TRAINING) if step.spark for job in step.jobs} == set(SPARK_JOBS)
    assert all(callable(load_job(job)) for job in SPARK_JOBS)


def test_an_unknown_job_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadInput, match="build_features"):
        load_job("build_feature")


def test_a_job_that_needs_spark_says_so_when_started_without(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"spark_jobs/submit\.py"):
        _ = JobContext(INTERVAL, Settings(root=tmp_path)).session


def test_without_java_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingInput, match="apt-get install openjdk-17-jre-headless"):
        check_java()


def test_an_old_java_is_named_with_the_version_that_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingInput, match="needs Java 17"):
        check_java()


@pytest.mark.spark
def test_the_command_of_a_step_runs_by_itself_and_writes_what_any_other_process_writes(
    tmp_path: Path, spark: SparkSession
) -> None:
    digests = []
    for name in ("submitted", "here"):
        settings = small_settings(corner_shop().write(tmp_path / name))
        if name == "submitted":
            command = step_command(CLEAN, settings, *interval_arguments(INTERVAL))
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            said = done.stdout + done.stderr  # spark-submit hands on a job's errors as output
            assert (done.returncode, "event=job_done job=clean_events" in said) == (0, True), said[-2_000:]
        else:
            clean_events.run(JobContext(INTERVAL, settings, spark))
        days = CLEAN_EVENTS.path(settings.root / "lake").glob("date=*")
        digests.append([Manifest.read(day, made_by="").digest for day in sorted(days)])
    assert digests[0] == digests[1]


def test_an_expected_error_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "spark_jobs.select_head", *BOUNDS, "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "table interactions has no partition" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_start_that_is_no_whole_hour_is_refused() -> None:
    with pytest.raises(BadInput, match="whole hours"):
        Interval.parse("2026-01-31T07:30:00Z", "2026-01-31T08:30:00Z")

"""Every DAG keeps the house rules: documented, bounded, retried, cheap to read, and it runs jobs that exist."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.pipeline import (
    BACKFILL_POOL,
    HOUR,
    LATE_HOURS,
    LIVE_POOL,
    POOL_SLOTS,
    PUBLISHER_POOL,
    RETENTION,
    TRAINING,
)
from dags.late_runs import late_runs

ROOT = Path(__file__).parents[2]
FACTS = Path(__file__).with_name("dag_facts.py")
ALLOWED_OF_AIRFLOW = ("airflow.sdk", "airflow.providers.standard")
HEAVY = {"pyspark", "pandas", "numpy", "redis", "pyarrow", "lightgbm", "implicit", "flask"}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("HEADRACE_")}
    given = {"HEADRACE_KEEP_LOG_DAYS": "3", "HEADRACE_SCHEDULE_FROM": "2026-01-31T07", "HEADRACE_CATCH_UP_HOURS": "30"}
    environment = inherited | given | {"AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow"))}
    done = subprocess.run(
        [sys.executable, str(FACTS)], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def tasks(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{dag}.{name}": task for dag, found in facts["dags"].items() for name, task in found["tasks"].items()}


def commands(dag: dict[str, Any], kind: str) -> dict[str, str]:
    return {name: task[kind] for name, task in dag["tasks"].items()}


@pytest.mark.airflow
def test_every_dag_is_documented_tagged_and_reports_its_failure(facts: dict[str, Any]) -> None:
    assert set(facts["dags"]) == {"hourly_recommendations", "daily_training", "daily_retention", "late_events"}
    for dag in facts["dags"].values():
        assert dag["doc"] == ast.get_docstring(ast.parse((ROOT / "dags" / dag["file"]).read_text()), clean=False)
        assert "headrace" in dag["tags"] and dag["description"] and dag["callback"] == "report_failure"
        assert dag["timetable"] == "CronDataIntervalTimetable"  # a bare cron string has empty intervals
        assert 0 < dag["timeout"] <= 8 * 3600


@pytest.mark.airflow
def test_every_task_is_documented_bounded_and_retried_with_backoff(tasks: dict[str, dict[str, Any]]) -> None:
    for name, task in tasks.items():
        assert task["retries"] >= 1 and task["backoff"], name
        assert 0 < task["timeout"] <= 3 * 3600, name
        assert task["doc"] and task["pool"] in POOL_SLOTS, name


@pytest.mark.airflow
def test_every_job_that_a_command_names_exists(tasks: dict[str, dict[str, Any]]) -> None:
    jobs = {job for step in (*HOUR, *TRAINING, RETENTION, LATE_HOURS) for job in step.jobs}
    named = {word for task in tasks.values() for word in re.findall(r"\w+", task["scheduled"])}
    assert jobs <= named
    assert not [job for job in jobs if not (ROOT / "spark_jobs" / f"{job}.py").exists()]


@pytest.mark.airflow
def test_reading_the_files_imports_nothing_heavy(facts: dict[str, Any]) -> None:
    assert not HEAVY & set(facts["imported"])


def test_dags_import_only_the_public_interface_of_airflow_and_one_provider() -> None:
    for path in (ROOT / "dags").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            named = node.module if isinstance(node, ast.ImportFrom) else None
            names = [named] if named else [a.name for a in node.names] if isinstance(node, ast.Import) else []
            foreign = [name for name in names if name.split(".")[0] == "airflow"]
            assert all(name.startswith(ALLOWED_OF_AIRFLOW) for name in foreign), f"{path.name}: {foreign}"


@pytest.mark.airflow
def test_the_tasks_of_the_hour_are_its_steps_in_an_order_that_feeds_each(facts: dict[str, Any]) -> None:
    found = facts["dags"]["hourly_recommendations"]["tasks"]
    assert list(found) == [step.name for step in HOUR]
    order = [step.name for step in HOUR]
    for name, task in found.items():
        assert all(order.index(upstream) < order.index(name) for upstream in task["upstream"])
    assert found["score_head"]["upstream"] == ["build_profiles", "build_segments", "select_head"]
    assert found["publish"]["upstream"] == ["check"]


@pytest.mark.airflow
def test_one_publisher_at_a_time(tasks: dict[str, dict[str, Any]]) -> None:
    assert POOL_SLOTS[PUBLISHER_POOL] == 1 and POOL_SLOTS[BACKFILL_POOL] < POOL_SLOTS[LIVE_POOL]
    assert [name for name, task in tasks.items() if task["pool"] == PUBLISHER_POOL] == [
        "hourly_recommendations.publish"
    ]


@pytest.mark.airflow
def test_missed_hours_are_made_up_for_at_once_and_of_missed_days_only_the_last(facts: dict[str, Any]) -> None:
    hourly = facts["dags"]["hourly_recommendations"]
    daily = [dag for name, dag in facts["dags"].items() if name.startswith("daily")]
    assert (hourly["catchup"], hourly["start_date"]) == (True, "2026-01-31T07:00:00+00:00")
    assert hourly["max_active_runs"] == 31  # all of them wait among backfills, so none is ahead of the live hour
    assert {dag["catchup"] for dag in daily} == {False}
    assert {dag["start_date"] for dag in daily} == {"2026-01-30T08:00:00+00:00"}


@pytest.mark.airflow
def test_commands_name_the_interval_of_their_run(facts: dict[str, Any]) -> None:
    for command in commands(facts["dags"]["hourly_recommendations"], "scheduled").values():
        assert "--interval-start '2026-01-31T07:00:00Z' --interval-end '2026-01-31T08:00:00Z'" in command
        assert command.startswith("exec ")
        assert not [word for word in ("nice", "--cold", "--republish") if word in command]
    for command in commands(facts["dags"]["daily_training"], "scheduled").values():
        assert "--interval-start '2026-01-31T07:00:00Z' --interval-end '2026-02-01T07:00:00Z'" in command


@pytest.mark.airflow
def test_a_backfill_starts_cold_and_stands_back(facts: dict[str, Any]) -> None:
    found = commands(facts["dags"]["hourly_recommendations"], "backfill")
    assert [name for name, command in found.items() if command.endswith("--cold")] == ["train_candidates"]
    assert all(command.startswith("exec nice -n 10 ") for command in found.values())


@pytest.mark.airflow
def test_an_hour_with_late_events_is_made_again_like_a_backfill(facts: dict[str, Any]) -> None:
    found = commands(facts["dags"]["hourly_recommendations"], "late")
    assert [name for name, command in found.items() if command.endswith("--cold")] == ["train_candidates"]
    assert all(command.startswith("exec nice -n 10 ") for command in found.values())
    assert all("--interval-start '2026-01-30T05:00:00Z'" in command for command in found.values())
    assert not [name for name, command in found.items() if "--republish" in command]


@pytest.mark.airflow
def test_late_hours_are_asked_for_once_an_hour_and_each_becomes_a_run(facts: dict[str, Any]) -> None:
    late = facts["dags"]["late_events"]
    assert (late["catchup"], late["max_active_runs"]) == (False, 1)
    assert late["tasks"]["make_again"]["upstream"] == ["late_hours"]
    assert late_runs('[{"start": "2026-01-30T05", "marked_at_ns": 17}]') == [
        {"trigger_run_id": "late__2026-01-30T05__17", "conf": {"start": "2026-01-30T05", "cold": True}}
    ]


@pytest.mark.airflow
def test_a_manual_run_takes_its_parameters(facts: dict[str, Any]) -> None:
    found = commands(facts["dags"]["hourly_recommendations"], "manual")
    assert all(
        "--interval-start '2026-02-01T05:00:00Z' --interval-end '2026-02-01T06:00:00Z'" in c for c in found.values()
    )
    assert [name for name, command in found.items() if "--republish" in command] == ["publish"]
    window = facts["dags"]["hourly_recommendations"]["tasks"]["build_features"]["environment"]
    assert window["HEADRACE_WINDOW_DAYS"] == "{{ params.window_days }}"


@pytest.mark.airflow
def test_a_run_without_interval_is_refused_with_what_to_do(facts: dict[str, Any]) -> None:
    for command in commands(facts["dags"]["hourly_recommendations"], "lost").values():
        assert command.startswith("refused: ") and "trigger it again with start, such as 2026-01-31T07" in command


@pytest.mark.airflow
def test_history_older_than_the_days_kept_is_cleaned(facts: dict[str, Any]) -> None:
    found = commands(facts["dags"]["daily_retention"], "scheduled")
    assert "db clean --clean-before-timestamp '2026-01-28T07:00:00+00:00'" in found["clean_history"]

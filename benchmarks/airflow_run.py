"""Airflow with a Redis of its own on a scratch root, and what one run of a DAG costs there, task by task."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.memory import PeakMemory
from contracts.errors import HeadraceError
from contracts.intervals import KEY_FORMAT
from contracts.settings import Layout, Settings, as_environment
from headrace import embedded_redis
from headrace.airflow_api import AirflowApi, wait_for_run
from headrace.airflow_home import airflow_environment, prepare_home
from headrace.airflow_stack import await_airflow, start_airflow
from headrace.ports import free_port
from headrace.processes import ProcessSet
from headrace.run_progress import job_seconds, task_log

HOURLY, TRAINING = "hourly_recommendations", "daily_training"
RUN_SECONDS = 3 * 3600.0
NO_SCHEDULE = {"AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False"}  # or this hour's own run would be measured beside


@dataclass(frozen=True, slots=True)
class TaskCost:
    """Wall-clock seconds of a task, and how many of them its jobs worked; the rest is start-up."""

    seconds: float
    working_seconds: float


@dataclass(frozen=True, slots=True)
class RunCost:
    """One run: seconds from the trigger to its end, peak memory of everything that runs, and its tasks in order."""

    seconds: float
    peak_bytes: int
    tasks: dict[str, TaskCost]


@dataclass(frozen=True, slots=True)
class Bench:
    """A running Airflow over one root."""

    settings: Settings
    api: AirflowApi

    def run(self, dag_id: str, start_at: datetime) -> RunCost:
        """Trigger a DAG for the interval that starts then, and wait; HeadraceError names the logs when it fails."""
        self.api.unpause(dag_id)
        peak = PeakMemory(os.getpid())
        run_id = self.api.trigger(dag_id, {"start": start_at.strftime(KEY_FORMAT)})
        state = wait_for_run(self.api, dag_id, run_id, seconds=RUN_SECONDS)
        peak_bytes = peak.stop()
        logs = Layout(self.settings.root).logs / "airflow"
        if state != "success":
            raise HeadraceError(f"run {run_id} of {dag_id} ended as {state}; see {logs}")
        run = self.api.run(dag_id, run_id)
        tasks = {task["task_id"]: _cost(task, logs) for task in self.api.tasks(dag_id, run_id)}
        return RunCost(_seconds(run["queued_at"], run["end_date"]), peak_bytes, tasks)


@contextmanager
def bench_airflow(root: Path, settings: Settings) -> Iterator[Bench]:
    """Start Redis and Airflow on free ports over `root`; both are gone afterwards."""
    with embedded_redis.start(root / "redis") as server:
        settings = replace(settings, root=root.absolute(), redis_url=server.url, airflow_port=free_port())
        home = prepare_home(settings)
        environment = airflow_environment(settings, home, os.environ | as_environment(settings)) | NO_SCHEDULE
        with ProcessSet(settings.root, environment) as processes:
            start_airflow(processes)
            with await_airflow(processes, home) as api:
                yield Bench(settings, api)


def _cost(task: dict[str, Any], logs: Path) -> TaskCost:
    return TaskCost(float(task["duration"] or 0.0), job_seconds(task_log(logs, task)))


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()

"""One Airflow for all tests that need it: the corner shop's last visit was in the last complete hour."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis

from contracts.intervals import Interval
from contracts.lake import OCCURRED_AT
from contracts.manifest import Manifest
from contracts.redis_layout import POINTER, Pointer
from contracts.settings import ENV_PREFIX, Settings
from headrace import embedded_redis
from headrace.airflow_api import AirflowApi
from headrace.airflow_home import VIEWER, AirflowHome, airflow_environment, prepare_home
from headrace.airflow_stack import COMPONENTS, airflow_command, await_airflow, start_airflow
from headrace.processes import ProcessSet
from headrace.run_progress import last_words, task_log
from spark_jobs.passed_check import CHECKS, PUBLISHES
from tests.worlds import INTERVAL, World, corner_shop, small_settings

HOURLY, TRAINING, RETENTION = "hourly_recommendations", "daily_training", "daily_retention"
LATE_EVENTS = "late_events"
SCHEDULER = "airflow-scheduler"
RUN_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class LocalAirflow:
    """A running Airflow with its Redis; `hour` is the last complete one of the start."""

    settings: Settings
    home: AirflowHome
    processes: ProcessSet
    api: AirflowApi
    hour: Interval

    def past_hour(self, ago: int) -> Interval:
        """The hour that lies `ago` hours before `hour`."""
        return Interval.ending_at(self.hour.end_at - timedelta(hours=ago))

    def viewer(self) -> AirflowApi:
        """The account that may look."""
        return AirflowApi.log_in(self.home.url, VIEWER, self.home.passwords[VIEWER])

    def explain(self, run_id: str) -> str:
        """What the tasks of a run said last."""
        logs = (self.settings.root / "logs" / "airflow").glob(f"*/run_id={run_id}/*/*.log")
        return "; ".join(f"{log.parent.name} {log.name}: {last_words(log)}" for log in sorted(logs))

    def log_of(self, dag_id: str, run_id: str, task_id: str) -> str:
        """The log of a task's last attempt."""
        task = next(task for task in self.api.tasks(dag_id, run_id) if task["task_id"] == task_id)
        return task_log(self.settings.root / "logs" / "airflow", task).read_text()

    def pointer(self) -> Pointer | None:
        """What serves."""
        with redis.Redis.from_url(self.settings.redis_url) as client:
            raw = client.get(POINTER)
        return Pointer.decode(raw) if isinstance(raw, bytes) else None

    def digests(self, ago: int) -> dict[str, str]:
        """Digest of each table of the hour that lies `ago` hours before `hour`."""
        folders = (self.settings.root / "lake").glob(f"*/interval={self.past_hour(ago).key}")
        found = {folder.parent.name: Manifest.read(folder, made_by="the hour").digest for folder in folders}
        return {name: digest for name, digest in found.items() if name not in (CHECKS, PUBLISHES)}

    def backfill(self, ago: int, **conf: bool) -> list[dict[str, Any]]:
        """Make a past hour again, and return the runs of the backfill once finished."""
        hour = self.past_hour(ago)
        number = self.api.backfill(HOURLY, hour, hour, conf=conf)
        deadline = time.monotonic() + RUN_SECONDS
        while not self.api.ask("GET", f"/backfills/{number}")["completed_at"]:
            assert time.monotonic() < deadline, "the backfill does not end"
            time.sleep(1)
        return [run for run in self.api.runs(HOURLY) if (run["data_interval_start"] or "").startswith(hour.key)]

    @contextmanager
    def with_setting(self, name: str, value: str) -> Iterator[None]:
        """Run tasks with another setting, by a scheduler started anew."""
        before = self.processes.environment
        self._restart_scheduler({**before, name: value})
        try:
            yield
        finally:
            self._restart_scheduler(before)

    def _await_idle(self) -> None:
        """Wait for the run that the schedule makes when an hour ends in the middle of the tests."""
        deadline = time.monotonic() + RUN_SECONDS
        while any(self.api.runs(HOURLY, state=state) for state in ("queued", "running")):
            assert time.monotonic() < deadline, "the runs do not end"
            time.sleep(1)

    def _restart_scheduler(self, environment: Mapping[str, str]) -> None:
        self._await_idle()
        self.processes.end(next(part for part in self.processes.components if part.name == SCHEDULER))
        self.processes.environment = environment
        self.processes.start(SCHEDULER, airflow_command(*COMPONENTS[SCHEDULER]))


@contextmanager
def local_airflow(root: Path, **changes: str | int) -> Iterator[LocalAirflow]:
    """Start everything on free ports, with `changes` to the settings of small worlds; DAGs are paused."""
    hour = last_complete_hour()
    world_ending_at(hour).write(root)
    with embedded_redis.start(root / "redis") as server:
        settings = replace(small_settings(root, airflow_port=free_port(), redis_url=server.url), **changes)
        home = prepare_home(settings)
        environment = airflow_environment(settings, home, os.environ | as_environment(settings))
        with ProcessSet(root, environment) as processes:
            processes.adopt("redis", server.process, root / "redis" / embedded_redis.LOG_FILE)
            start_airflow(processes)
            with await_airflow(processes, home) as api:
                yield LocalAirflow(settings, home, processes, api, hour)


def last_complete_hour() -> Interval:
    """The hour that has just ended."""
    return Interval.ending_at(datetime.now(UTC).replace(minute=0, second=0, microsecond=0))


def world_ending_at(hour: Interval) -> World:
    """The corner shop, shifted in time so that its last events lie in `hour`."""
    world, shift = corner_shop(), hour.start_at - INTERVAL.start_at
    return replace(world, events=tuple(event | {OCCURRED_AT: event[OCCURRED_AT] + shift} for event in world.events))


def as_environment(settings: Settings) -> dict[str, str]:
    """HEADRACE_* variables that make these settings."""
    return {
        ENV_PREFIX + f.name.upper(): str(value)
        for f in fields(Settings)
        if (value := getattr(settings, f.name)) != f.default
    }


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

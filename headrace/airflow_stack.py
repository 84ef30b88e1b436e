"""Airflow on this machine: API server, scheduler and DAG processor, up and healthy."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from contracts.errors import MissingInput
from headrace.airflow_api import AirflowApi, is_healthy
from headrace.airflow_home import ADMIN, AirflowHome
from headrace.processes import ProcessSet

DAGS = ("hourly_recommendations", "daily_training", "daily_retention", "late_events")
HEALTHY_SECONDS, POLL_SECONDS = 240.0, 0.5
# No log servers: every component reads the same files, and a log server listens on all interfaces.
COMPONENTS = {
    "airflow-api-server": ("api-server",),
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dag-processor": ("dag-processor",),
}


def airflow_command(*arguments: str) -> list[str]:
    """Command line of this environment's airflow."""
    return [str(Path(sys.executable).with_name("airflow")), *arguments]


def start_airflow(processes: ProcessSet) -> None:
    """Bring the database up to date and start the components; does not wait for them."""
    processes.run("airflow-migrate", airflow_command("db", "migrate"), quiet=True)
    for name, arguments in COMPONENTS.items():
        processes.start(name, airflow_command(*arguments))


def await_airflow(processes: ProcessSet, home: AirflowHome) -> AirflowApi:
    """Wait until every component is healthy and the DAGs are read; log in as admin and make the pools."""
    _await(lambda: is_healthy(home.url), processes, f"Airflow at {home.url} to be healthy")
    api = AirflowApi.log_in(home.url, ADMIN, home.passwords[ADMIN])
    api.make_pools()
    _await(lambda: all(api.has_dag(dag_id) for dag_id in DAGS), processes, f"Airflow to read {', '.join(DAGS)}")
    return api


def _await(ready: Callable[[], bool], processes: ProcessSet, what: str) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    while not ready():
        processes.refuse_dead()
        if time.monotonic() > deadline:
            logs = ", ".join(str(component.log) for component in processes.components)
            raise MissingInput(f"waited {HEALTHY_SECONDS:.0f} s for {what}; see {logs}")
        time.sleep(POLL_SECONDS)

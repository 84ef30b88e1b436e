"""Print as JSON what every DAG file declares, and its commands as rendered for four kinds of run.

Runs in a process of its own, so that importing Airflow leaves the tests' process alone.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

DAG_FILES = ("hourly_recommendations", "daily_training", "daily_retention", "late_events")
LATE_RUN = SimpleNamespace(
    run_type="manual", run_id="late__2026-01-30T05__17", data_interval_start=None, data_interval_end=None
)
HOURLY = ("hourly_recommendations", "late_events")
START_AT = datetime(2026, 1, 31, 7, tzinfo=UTC)
NO_INTERVAL = SimpleNamespace(run_type="manual", run_id="manual__1", data_interval_start=None, data_interval_end=None)


def main() -> None:
    before = set(sys.modules)
    dags = [(name, dag) for name in DAG_FILES for dag in vars(import_module(f"dags.{name}")).values() if is_dag(dag)]
    facts = {
        "imported": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
        "dags": {dag.dag_id: {"file": f"{name}.py", **describe(dag)} for name, dag in dags},
    }
    sys.stdout.write(json.dumps(facts))


def is_dag(value: object) -> bool:
    return isinstance(value, DAG)


def describe(dag: DAG) -> dict[str, Any]:
    return {
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "description": dag.description,
        "timetable": type(dag.timetable).__name__,
        "catchup": dag.catchup,
        "start_date": dag.start_date.isoformat(),
        "max_active_runs": dag.max_active_runs,
        "timeout": dag.dagrun_timeout.total_seconds(),
        "callback": getattr(dag.on_failure_callback, "__name__", ""),
        "params": sorted(dag.params),
        "tasks": {task.task_id: describe_task(task, dag) for task in dag.tasks},
    }


def describe_task(task: BaseOperator, dag: DAG) -> dict[str, Any]:
    length = timedelta(hours=1) if dag.dag_id in HOURLY else timedelta(days=1)
    given = dag.params.dump()
    return {
        "retries": task.retries,
        "backoff": bool(task.retry_exponential_backoff),
        "timeout": task.execution_timeout.total_seconds(),
        "pool": task.pool,
        "doc": task.doc_md,
        "upstream": sorted(task.upstream_task_ids),
        "environment": getattr(task, "env", None) or {},
        "scheduled": render(task, dag, run("scheduled", length), given),
        "backfill": render(task, dag, run("backfill", length), given),
        "late": render(task, dag, LATE_RUN, given | {"start": "2026-01-30T05", "cold": True}),
        "manual": render(task, dag, NO_INTERVAL, given | {"start": "2026-02-01T05", "republish": True}),
        "lost": render(task, dag, NO_INTERVAL, given),
    }


def run(run_type: str, length: timedelta) -> SimpleNamespace:
    return SimpleNamespace(
        run_type=run_type, run_id="x", data_interval_start=START_AT, data_interval_end=START_AT + length
    )


def render(task: BaseOperator, dag: DAG, dag_run: SimpleNamespace, params: dict[str, Any]) -> str:
    if not hasattr(task, "bash_command"):
        return ""
    dag_run.run_after = START_AT
    context = {"dag_run": dag_run, "params": params, "macros": SimpleNamespace(timedelta=timedelta)}
    try:
        return str(task.render_template(task.bash_command, context, jinja_env=dag.get_template_env()))
    except AirflowFailException as error:
        return f"refused: {error}"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()

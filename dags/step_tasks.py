"""Turn steps of contracts.pipeline into tasks, with the defaults that every DAG shares."""

import os
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import CronDataIntervalTimetable, Param

from contracts.intervals import HOUR, Interval
from contracts.pipeline import LIVE_POOL, Step, step_command
from contracts.settings import Settings, read_settings
from dags.late_runs import LATE
from dags.run_interval import run_interval

PROJECT = Path(__file__).resolve().parents[1]
OWNER = "headrace"
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
TASK_DEFAULTS: dict[str, Any] = {
    "owner": OWNER,
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(minutes=50),
    "do_xcom_push": False,
    "cwd": str(PROJECT),
    "append_env": True,
}
START = "{{ run_interval(dag_run, params)[0] }}"
END = "{{ run_interval(dag_run, params)[1] }}"
# An hour made again stands back where the live hour wants the processor.
NICE = f"{{{{ 'nice -n 10 ' if dag_run.run_type == 'backfill' or dag_run.run_id.startswith('{LATE}') else '' }}}}"
COLD = "{{ '--cold' if dag_run.run_type == 'backfill' or params.cold else '' }}"
WINDOW_ENVIRONMENT = {"HEADRACE_WINDOW_DAYS": "{{ params.window_days }}"}
REPUBLISH = "{{ '--republish' if params.republish else '' }}"


def project_settings() -> Settings:
    """Settings of this process; a relative root is taken from the project, not from Airflow's folder."""
    settings = read_settings(os.environ)
    return replace(settings, root=PROJECT / settings.root)


def shared_arguments(settings: Settings, cron: str, *, length: timedelta) -> dict[str, Any]:
    """Arguments of a DAG over data intervals of `length`; hours that were missed are made up for, longer spans not."""
    first = Interval.of_key(settings.schedule_from).start_at if settings.schedule_from else None
    return {
        "schedule": CronDataIntervalTimetable(cron, timezone="UTC"),
        "start_date": first - (length - HOUR) if first else BEGINNING,
        "catchup": first is not None and length == HOUR,
        "default_args": TASK_DEFAULTS,
        "user_defined_macros": {"run_interval": run_interval(length)},
    }


def step_task(step: Step, settings: Settings, *, flags: str = "", **arguments: Any) -> BashOperator:
    """The task of one step; `flags` is a template put behind the command."""
    command = shlex.join(step_command(step, settings, START, END))
    arguments = {"pool": LIVE_POOL, "env": WINDOW_ENVIRONMENT} | arguments
    return BashOperator(
        task_id=step.name,
        bash_command=f"exec {NICE}{command} {flags}",
        doc_md=f"Runs `{', '.join(step.jobs)}` for the run's interval.",
        **arguments,
    )


def start_param(length: str) -> Param:
    """The parameter of a manual run that names its interval."""
    return Param(
        None,
        type=["null", "string"],
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}$",
        title="Start of the interval",
        description=f"UTC hour at which the {length} starts, such as 2026-01-31T07; "
        "empty takes the run's own interval. A backfill ignores it.",
    )


def window_param(settings: Settings) -> Param:
    """The parameter that says how far back interactions and features look."""
    return Param(
        settings.window_days,
        type="integer",
        minimum=1,
        maximum=3650,
        title="Window in days",
        description="How far back interactions and features look from the interval's end.",
    )

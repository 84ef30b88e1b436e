"""Every day, remove what the settings no longer keep, so that the disk stays bounded.

Two tasks that do not wait for each other: the lake, the bundles, the published versions and the log files
(`HEADRACE_KEEP_HOURS`, `HEADRACE_KEEP_EVENT_DAYS`, `HEADRACE_KEEP_RANKER_BUNDLES`, `HEADRACE_KEEP_LOG_DAYS`), and
Airflow's own history in its database (`HEADRACE_KEEP_LOG_DAYS`). What serves is never removed, and running this twice
removes nothing more.
"""

from datetime import timedelta

from airflow.sdk import DAG

from contracts.pipeline import RETENTION
from dags.failure_report import report_failure
from dags.history_task import history_task
from dags.step_tasks import project_settings, shared_arguments, start_param, step_task

SETTINGS = project_settings()

with DAG(
    "daily_retention",
    **shared_arguments(SETTINGS, "0 4 * * *", length=timedelta(days=1)),
    description="Bounded disk: old partitions, bundles, history and logs go",
    doc_md=__doc__,
    tags=["headrace", "daily", "removes"],
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    on_failure_callback=report_failure,
    params={"start": start_param("day")},
) as dag:
    step_task(RETENTION, SETTINGS, env={})
    history_task(SETTINGS)

"""Every day, remove what the settings no longer keep, so that the disk stays bounded.

Three tasks that do not wait for each other: the lake, the bundles and published versions (`HEADRACE_KEEP_HOURS`,
`HEADRACE_KEEP_EVENT_DAYS`, `HEADRACE_KEEP_RANKER_BUNDLES`), Airflow's history in its database, and log files
(`HEADRACE_KEEP_LOG_DAYS`). What serves is never removed, and running this twice removes nothing more.
"""

from datetime import timedelta

from airflow.sdk import DAG

from contracts.pipeline import RETENTION
from dags.failure_report import report_failure
from dags.history_tasks import history_task, log_files_task
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
    log_files_task(SETTINGS)

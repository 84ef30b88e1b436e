"""Every hour, make hours again that got late events, oldest first, without ever moving back what serves.

The archiver marks an hour when events of it arrive after it was archived to its end, up to `HEADRACE_LATE_HOURS` late.
`late_hours` lists the marked hours, a few a run; `make_again` triggers a run of `hourly_recommendations` for each,
named `late__<hour>__<mark>`, which waits in the pool `backfill` and stands back for the live hour. The mark ends when
that run has published, or has left alone what serves, and no newer late events came meanwhile.

- The live hour is left to its own run, an hour that was never sealed is not made for the first time, and one that is
  being made waits for the next time.
- One mark makes one run: a run that failed stays failed, and is cleared by hand like any other.
- Hours that come after always read late events; of the past ones only the hour that a late event belongs to is made
  again.
"""

from datetime import timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

from contracts.pipeline import LATE_HOURS, LIVE_POOL
from dags.failure_report import report_failure
from dags.late_runs import late_runs
from dags.step_tasks import project_settings, shared_arguments, start_param, step_task

SETTINGS = project_settings()
ARGUMENTS = shared_arguments(SETTINGS, "0 * * * *", length=timedelta(hours=1)) | {"catchup": False}

with DAG(
    "late_events",
    **ARGUMENTS,
    description="Hours with late events are made again",
    doc_md=__doc__,
    tags=["headrace", "hourly"],
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    on_failure_callback=report_failure,
    params={"start": start_param("hour")},
) as dag:
    hours = step_task(LATE_HOURS, SETTINGS, env={}, do_xcom_push=True, output_processor=late_runs)
    TriggerDagRunOperator.partial(
        task_id="make_again",
        trigger_dag_id="hourly_recommendations",
        logical_date=None,
        skip_when_already_exists=True,
        pool=LIVE_POOL,
        doc_md="Triggers a run of `hourly_recommendations` for each late hour.",
    ).expand_kwargs(hours.output)

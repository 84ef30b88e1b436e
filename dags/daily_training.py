"""Every day, train the ranker and the session model of the hours, and keep the old ones unless the new are better.

For a day that ends at T and a label window of w hours (setting), the training set has features as of T - 2w and the
labels of the w hours after; the gate has features as of T - w and the labels up to T. A ranker that loses against the
previous one or against plain popularity is not saved, the task fails, and the hours go on with the ranker they have.
The session model learns from the newest sessions up to T, and stands behind a gate of its own: the next item of
sessions that it did not learn from.

An hour takes the newest ranker whose labels ended by the hour's end, and the newest session model alike, so that a
backfill never knows the future.

**By hand**: `start` names the UTC hour at which the day starts (its end is T); `window_days` says how far back features
look. Only the latest complete day is made up for after a stall.
"""

from datetime import timedelta

from airflow.sdk import DAG

from contracts.pipeline import TRAINING
from dags.failure_report import report_failure
from dags.step_tasks import project_settings, shared_arguments, start_param, step_task, window_param

SETTINGS = project_settings()
TIMEOUT = timedelta(hours=3)

with DAG(
    "daily_training",
    **shared_arguments(SETTINGS, "0 3 * * *", length=timedelta(days=1)),
    description="The ranker and the session model of the hours, trained on what people did next",
    doc_md=__doc__,
    tags=["headrace", "daily", "trains"],
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=8),
    on_failure_callback=report_failure,
    params={"start": start_param("day"), "window_days": window_param(SETTINGS)},
) as dag:
    task = {step.name: step_task(step, SETTINGS, execution_timeout=TIMEOUT) for step in TRAINING}

    task["build_training_set"] >> [task["train_ranker"], task["train_session"]]

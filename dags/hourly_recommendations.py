"""Every hour, turn what people did into lists that a web app looks up.

For its hour the run seals it (waits until the archiver has brought all events received in it), cleans the events,
counts interactions and statistics, keeps what is known of everybody for answers on demand, chooses the head (the most
active users and the popular items), fits factors and co-occurrence, scores some 500 candidates for each head user,
checks the outcome and publishes it to Redis behind one pointer. Each task names its hour, reads named partitions and
overwrites its own, so that clearing a task or running an hour again is always safe.

**Late events** (up to `HEADRACE_LATE_HOURS`) make an hour again: runs named `late__…` are triggered by the DAG
`late_events`, among the backfills.

**A backfill** (Trigger → Backfill) makes past hours again, in a pool of its own; the version that serves never goes
back to an older hour. Parameters count when *Override parameters on existing runs* is ticked.

**By hand**: `start` names another hour than the last complete one; `republish` makes that hour's lists serve even when
newer ones do, which is the slow rollback (`python -m headrace rollback` is the quick one); `window_days` says how far
back to look; `cold` fits the factors from nothing.

**When it fails**, what was published keeps serving. The task's log ends with what was asked, what was found and what
to do; a refused gate says which figure refused.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from contracts.pipeline import HOUR, PUBLISHER_POOL
from dags.failure_report import report_failure
from dags.step_tasks import COLD, REPUBLISH, project_settings, shared_arguments, start_param, step_task, window_param

SETTINGS = project_settings()
EXTRAS = {"train_candidates": {"flags": COLD}, "publish": {"flags": REPUBLISH, "pool": PUBLISHER_POOL}}

with DAG(
    "hourly_recommendations",
    **shared_arguments(SETTINGS, "0 * * * *", length=timedelta(hours=1)),
    description="Events of one hour become published lists",
    doc_md=__doc__,
    tags=["headrace", "hourly", "publishes"],
    max_active_runs=SETTINGS.catch_up_hours + 1,
    dagrun_timeout=timedelta(hours=3),
    on_failure_callback=report_failure,
    params={
        "start": start_param("hour"),
        "window_days": window_param(SETTINGS),
        "republish": Param(False, type="boolean", title="Republish", description="Serve this hour even if it is old."),
        "cold": Param(False, type="boolean", title="Cold start", description="Fit the factors from nothing."),
    },
) as dag:
    task = {step.name: step_task(step, SETTINGS, **EXTRAS.get(step.name, {})) for step in HOUR}

    counted = task["seal"] >> task["clean_events"] >> task["build_features"]
    counted >> [task["select_head"], task["train_candidates"], task["build_profiles"]]
    task["train_candidates"] >> task["build_segments"]
    known = [task["select_head"], task["build_segments"], task["build_profiles"]]
    known >> task["score_head"] >> task["check"] >> task["publish"]

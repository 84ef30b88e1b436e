"""The task of retention that belongs to Airflow itself: its history."""

import shlex
import sys
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator

from contracts.pipeline import LIVE_POOL
from contracts.settings import Settings

# A task may not see the database, so Airflow hides its URL; cleaning is the one that must, and reads airflow.cfg.
REVEAL = "env -u AIRFLOW__DATABASE__SQL_ALCHEMY_CONN -u AIRFLOW__CORE__SQL_ALCHEMY_CONN"


def history_task(settings: Settings) -> BashOperator:
    """Delete runs and task instances that ended before the days kept."""
    airflow = shlex.quote(str(Path(sys.executable).with_name("airflow")))
    cutoff = f"{{{{ (dag_run.run_after - macros.timedelta(days={settings.keep_log_days})).isoformat() }}}}"
    return BashOperator(
        task_id="clean_history",
        bash_command=f"exec {REVEAL} {airflow} db clean --clean-before-timestamp '{cutoff}' --skip-archive --yes",
        doc_md="Runs `airflow db clean` for what is older than `HEADRACE_KEEP_LOG_DAYS`.",
        pool=LIVE_POOL,
    )

"""The tasks of retention that belong to Airflow itself: its history and the log files."""

import shlex
import sys
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator

from contracts.pipeline import LIVE_POOL
from contracts.settings import Layout, Settings

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


def log_files_task(settings: Settings) -> BashOperator:
    """Delete log files older than the days kept, and folders that have long been empty."""
    folder, days = shlex.quote(str(Layout(settings.root).logs)), settings.keep_log_days
    return BashOperator(
        task_id="clean_logs",
        bash_command=f"mkdir -p {folder} && find {folder} -mindepth 2 -type f -mtime +{days} -print -delete | wc -l"
        f" && find {folder} -mindepth 2 -type d -empty -mtime +1 -delete",
        doc_md="Removes log files older than `HEADRACE_KEEP_LOG_DAYS`.",
        pool=LIVE_POOL,
    )

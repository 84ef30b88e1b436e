"""Follow one run of a DAG on the terminal: each task with its state, its seconds and the rows of its jobs."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from contracts.errors import MissingInput
from headrace.airflow_api import FINISHED, AirflowApi

POLL_SECONDS = 1.0
JOB_LINE = re.compile(r"event=job_done job=(\S+) [^\"]*?rows=(\d+) [^\"]*?seconds=([\d.]+)")
SAID = re.compile(r'"event":"(.*?)(?<!\\)"')
DONE, FAILED, RETRYING, RUNNING = "success", "failed", "up_for_retry", "running"


@dataclass(slots=True)
class RunFollower:
    """Prints what changes in a run; `refuse_dead` is called each time round, to notice a component that ended."""

    api: AirflowApi
    console: Console
    logs: Path
    refuse_dead: Callable[[], None]
    _told: set[tuple[str, str, int]] = field(default_factory=set)

    def follow(self, dag_id: str, run_id: str) -> None:
        """Return when the run has succeeded; MissingInput with the end of the task's log when it failed."""
        with self.console.status(dag_id) as status:
            while True:
                self.refuse_dead()
                state = str(self.api.run(dag_id, run_id)["state"])
                tasks = self.api.tasks(dag_id, run_id)
                for task in tasks:
                    self._tell(task)
                running = [task for task in tasks if task["state"] == RUNNING]
                status.update(f"{dag_id}: {', '.join(describe_running(task) for task in running) or state}")
                if state in FINISHED:
                    break
                time.sleep(POLL_SECONDS)
        if state == FAILED:
            raise MissingInput(f"run {run_id} of {dag_id} failed: {self._reason(tasks)}")

    def _tell(self, task: dict[str, Any]) -> None:
        key = (task["task_id"], task["state"], task["try_number"])
        if task["state"] not in (DONE, FAILED, RETRYING) or key in self._told:
            return
        self._told.add(key)
        log = task_log(self.logs, task)
        if task["state"] == DONE:
            self.console.print(f"  ✓ {task['task_id']:<20} {task['duration'] or 0:6.1f} s  {describe_jobs(log)}")
        else:
            self.console.print(f"  ✗ {task['task_id']:<20} {task['state']}: {last_words(log)} (see {log})")

    def _reason(self, tasks: list[dict[str, Any]]) -> str:
        for task in tasks:
            if task["state"] == FAILED:
                log = task_log(self.logs, task)
                return f"task {task['task_id']} says: {last_words(log)}; its log is {log}"
        return f"see the logs under {self.logs}"


def task_log(logs: Path, task: dict[str, Any]) -> Path:
    """Log file of the latest attempt of a task instance."""
    folder = f"dag_id={task['dag_id']}/run_id={task['dag_run_id']}/task_id={task['task_id']}"
    return logs / folder / f"attempt={task['try_number']}.log"


def describe_running(task: dict[str, Any]) -> str:
    """The name of a running task, and which attempt it is when not the first."""
    return task["task_id"] + (f" (attempt {task['try_number']})" if task["try_number"] > 1 else "")


def describe_jobs(log: Path) -> str:
    """Rows and seconds of each job that a task log tells of."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return ", ".join(f"{job} {int(rows):,} rows" for job, rows, _ in JOB_LINE.findall(text))


def job_seconds(log: Path) -> float:
    """Seconds that the jobs of a task log worked, their process's start-up not among them."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return sum(float(seconds) for _, _, seconds in JOB_LINE.findall(text))


def last_words(log: Path) -> str:
    """The last thing that a failed task's command said, before Airflow's own lines about it."""
    text = log.read_text(errors="replace") if log.exists() else ""
    said = [
        line
        for line in SAID.findall(text)
        if line.strip() and not line.startswith(("::", "Task failed", "Command exited"))
    ]
    return said[-1][:400] if said else "nothing"

"""The second run of the demo's hour, warm: its tasks, and how much of each is start-up."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import typer

from benchmarks.airflow_run import HOURLY, TRAINING, bench_airflow
from benchmarks.report import Figure, show
from contracts.settings import Settings
from headrace.demo_data import SAMPLE_IMPORT, last_complete_hour, needs_import, training_start

AT_LEAST_SECONDS, STRETCH_SECONDS = 240, 120


def main(root: Path = Path("/tmp/headrace-demo-hour")) -> None:
    """Import the sample, train, run the hour before last, and measure the last one."""
    now = datetime.now(UTC)
    if needs_import(root):
        subprocess.run([sys.executable, "-m", "headrace", *SAMPLE_IMPORT, "--root", str(root)], check=True)
    hour = last_complete_hour(now)
    with bench_airflow(root, Settings()) as bench:
        bench.run(TRAINING, training_start(now))
        bench.run(HOURLY, hour.start_at - (hour.end_at - hour.start_at))
        cost = bench.run(HOURLY, hour.start_at)
    goal = f"≤ {AT_LEAST_SECONDS} s, stretch {STRETCH_SECONDS} s"
    total = Figure("trigger to end", f"{cost.seconds:.0f} s", "", None, goal, cost.seconds <= AT_LEAST_SECONDS)
    rows = [
        Figure(
            f"  {name}", f"{task.seconds:.1f} s", f"{task.working_seconds:.1f} s in jobs",
            1 - task.working_seconds / max(task.seconds, 0.001), "share of start-up",
        )
        for name, task in cost.tasks.items()
    ]  # fmt: skip
    show("demo_hour", [total, *rows], {"purchases": 1_469_307, "peak GB": round(cost.peak_bytes / 1024**3, 1)})


if __name__ == "__main__":
    typer.run(main)

"""One hour at 10 M events, and how its cost grows from 1 M: every step's seconds and peak memory."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from benchmarks.airflow_run import HOURLY, TRAINING, RunCost, bench_airflow
from benchmarks.report import ARTIFACTS, Figure, show
from contracts.intervals import HOUR as ONE_HOUR
from contracts.intervals import format_instant
from contracts.settings import Settings

END_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAYS = 90
ITEMS, EVENTS_PER_USER = 20_000, 50
GIB = 1024**3


def main(
    events: str = "1000000,3000000,10000000",
    root: Path = Path("/tmp/headrace-hour"),
    keep: bool = False,
    cold: bool = False,
) -> None:
    """Measure an hour for each number of events (comma-separated); users grow with events, 50 events each.

    With `cold` it is the first hour ever, whose factors start from nothing.
    """
    table: dict[int, RunCost] = {}
    for count in (int(text) for text in events.split(",")):
        place = root / str(count)
        table[count] = measure_hour(count, place, cold=cold)
        if not keep:
            shutil.rmtree(place, ignore_errors=True)
        _show(table)
    if len(table) > 1:
        plot(table, ARTIFACTS / "hour.png")


def measure_hour(events: int, root: Path, *, cold: bool) -> RunCost:
    """Simulate a world, train its ranker, run one hour to have a warm start unless `cold`, and measure the next."""
    simulate(events, root)
    trained_until = (END_AT - timedelta(days=1)).replace(hour=0)
    with bench_airflow(root, replace(Settings(), spark_driver_memory="5g")) as bench:
        _say(events, "training", bench.run(TRAINING, trained_until - timedelta(days=1)))
        if not cold:
            _say(events, "the hour before", bench.run(HOURLY, END_AT - 2 * ONE_HOUR))
        cost = bench.run(HOURLY, END_AT - ONE_HOUR)
        _say(events, "the hour", cost)
        return cost


def simulate(events: int, root: Path) -> None:
    """Write a world of so many events, unless it is there."""
    if (root / "truth").exists():
        return
    sizes = {"users": events // EVENTS_PER_USER, "items": ITEMS, "events": events, "days": DAYS, "seed": 7}
    options = [part for name, value in sizes.items() for part in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "headrace", "simulate", *options, "--end", format_instant(END_AT)]
    subprocess.run([*command, "--root", str(root)], check=True, env=dict(os.environ))


def _say(events: int, what: str, cost: RunCost) -> None:
    print(f"{events:,} events, {what}: {cost.seconds:.0f} s, {cost.peak_bytes / GIB:.1f} GB", flush=True)


def _show(table: dict[int, RunCost]) -> None:
    smallest = min(table)
    figures = []
    for count, cost in table.items():
        peak = cost.peak_bytes / GIB
        is_goal = count >= 10_000_000
        goal = "20 min, 12 GB; stretch 10 min" if is_goal else ""
        met = cost.seconds <= 1200 and peak <= 12 if is_goal else None
        measured = f"{cost.seconds:.0f} s, {peak:.1f} GB"
        figures.append(Figure(f"{count:,} events: trigger to end", measured, "", None, goal, met))
        for name, task in cost.tasks.items():
            base = table[smallest].tasks[name].seconds
            growth = task.seconds / base / (count / smallest)
            reference = f"{base:.0f} s × {count / smallest:.0f}"
            working = f"{task.seconds:.0f} s, {task.working_seconds:.0f} s of them in jobs"
            figures.append(Figure(f"  {name}", working, reference, growth, "≤ 1 (linear)", growth <= 1))
    show("hour", figures, {"items": ITEMS, "events a user": EVENTS_PER_USER, "days": DAYS, "ranker": "200 × 31"})


def plot(table: dict[int, RunCost], path: Path) -> None:
    """Draw seconds by step over events, both axes logarithmic, beside a linear slope."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    counts = sorted(table)
    figure, axes = plt.subplots(figsize=(8, 5))
    for name in table[counts[0]].tasks:
        axes.plot(counts, [table[count].tasks[name].seconds for count in counts], marker="o", label=name)
    low = min(cost.seconds for cost in table[counts[0]].tasks.values())
    axes.plot(counts, [low * count / counts[0] for count in counts], "k--", label="linear")
    axes.set(
        xscale="log", yscale="log", xlabel="events in the lake", ylabel="seconds", title="Cost of the hour by step"
    )
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    typer.run(main)

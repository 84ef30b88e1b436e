"""One hour at 10 M events, and how its cost grows from 1 M: every step's seconds and peak memory."""

import os
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from benchmarks.memory import Cost, run_measured
from benchmarks.report import ARTIFACTS, Figure, show
from contracts.intervals import Interval, format_instant
from contracts.pipeline import HOUR, TRAINING, Step, interval_arguments, step_command
from contracts.settings import Settings
from headrace.embedded_redis import start

END_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAYS = 90
ITEMS, EVENTS_PER_USER = 20_000, 50
GIB = 1024**3


def main(events: str = "1000000,3000000,10000000", root: Path = Path("/tmp/headrace-hour"), keep: bool = False) -> None:
    """Measure an hour for each number of events (comma-separated); users grow with events, 50 events each."""
    table: dict[int, dict[str, Cost]] = {}
    for count in (int(text) for text in events.split(",")):
        place = root / str(count)
        table[count] = measure_hour(count, place)
        if not keep:
            shutil.rmtree(place, ignore_errors=True)
        _show(table)
    if len(table) > 1:
        plot(table, ARTIFACTS / "hour.png")


def measure_hour(events: int, root: Path) -> dict[str, Cost]:
    """Simulate a world, train its ranker, run one hour to have a warm start, and measure the next."""
    settings = replace(Settings(), root=root, spark_driver_memory="5g")
    users = events // EVENTS_PER_USER
    simulate = ["simulate", "--users", str(users), "--items", str(ITEMS), "--events", str(events), "--days", str(DAYS)]
    cli = [sys.executable, "-m", "headrace"]
    run_measured(
        [*cli, *simulate, "--seed", "7", "--end", format_instant(END_AT), "--root", str(root)],
        root / "simulate.log",
        _env(),
    )
    with start(root / "redis") as server:
        settings = replace(settings, redis_url=server.url)
        trained_until = (END_AT - timedelta(days=1)).replace(hour=0)
        _run(TRAINING, Interval(trained_until - timedelta(days=1), trained_until), settings)
        _run(HOUR, Interval.ending_at(END_AT - timedelta(hours=1)), settings)
        return _run(HOUR, Interval.ending_at(END_AT), settings)


def _run(steps: tuple[Step, ...], interval: Interval, settings: Settings) -> dict[str, Cost]:
    costs = {}
    for step in steps:
        command = step_command(step, settings, *interval_arguments(interval))
        log = settings.root / "logs" / f"{interval.key}.{step.name}.log"
        costs[step.name] = run_measured(command, log, _env(HEADRACE_REDIS_URL=settings.redis_url))
        print(f"{interval.key} {step.name}: {costs[step.name].seconds:.0f} s", flush=True)
    return costs


def _env(**more: str) -> dict[str, str]:
    return {**os.environ, "HEADRACE_SPARK_DRIVER_MEMORY": "5g", **more}


def _show(table: dict[int, dict[str, Cost]]) -> None:
    smallest = min(table)
    figures = []
    for count, costs in table.items():
        total = sum(cost.seconds for cost in costs.values())
        peak = max(cost.peak_bytes for cost in costs.values()) / GIB
        is_goal = count >= 10_000_000
        goal = "20 min, 12 GB; stretch 10 min" if is_goal else ""
        met = total <= 1200 and peak <= 12 if is_goal else None
        figures.append(Figure(f"{count:,} events: the hour", f"{total:.0f} s, {peak:.1f} GB", "", None, goal, met))
        for name, cost in costs.items():
            base = table[smallest][name].seconds
            growth = cost.seconds / base / (count / smallest)
            reference = f"{base:.0f} s × {count / smallest:.0f}"
            measured = f"{cost.seconds:.0f} s, {cost.peak_bytes / GIB:.1f} GB"
            figures.append(Figure(f"  {name}", measured, reference, growth, "≤ 1 (linear)", growth <= 1))
    show("hour", figures, {"items": ITEMS, "events a user": EVENTS_PER_USER, "days": DAYS, "ranker": "200 × 31"})


def plot(table: dict[int, dict[str, Cost]], path: Path) -> None:
    """Draw seconds by step over events, both axes logarithmic, beside a linear slope."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    counts = sorted(table)
    figure, axes = plt.subplots(figsize=(8, 5))
    for name in table[counts[0]]:
        axes.plot(counts, [table[count][name].seconds for count in counts], marker="o", label=name)
    low = min(cost.seconds for cost in table[counts[0]].values())
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

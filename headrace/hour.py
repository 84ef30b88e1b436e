"""`hour` and `train`: the steps of contracts.pipeline run here, one after the other, each in a process of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from contracts.errors import BadInput, HeadraceError
from contracts.intervals import HOUR as ONE_HOUR
from contracts.intervals import Interval, parse_instant
from contracts.pipeline import HOUR, TRAINING, Step, interval_arguments, step_command
from contracts.settings import Layout, Settings, read_settings
from headrace.processes import PROJECT

ONE_DAY = timedelta(days=1)
COLD_STEPS = frozenset({"train_candidates"})

Root = Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")]
Cold = Annotated[bool, typer.Option("--cold", help="Fit factors from nothing, as a backfill does.")]


class StepFailed(HeadraceError):
    """A step left with an error; its log says why."""


def hour_command(
    start: Annotated[str, typer.Argument(help="The hour, such as 2026-01-31T07 (UTC).")],
    end: Annotated[str, typer.Option(help="Run all hours up to this one, exclusive; default is one hour.")] = "",
    root: Root = None,
    cold: Cold = False,
) -> None:
    """Run past hours without Airflow: clean, compute, score, check, publish."""
    first = hour_at(start)
    last_end_at = hour_at(end).start_at if end else first.end_at
    if last_end_at <= first.start_at:
        raise BadInput(f"hours from {start} up to {end} are none: --end must be after START")
    end_like_control_c()
    while first.end_at <= last_end_at:
        run_steps(HOUR, first, _settings(root), cold=cold)
        first = Interval(first.end_at, first.end_at + ONE_HOUR)


def train_command(
    date: Annotated[str, typer.Argument(help="The day whose end the training looks back from: 2026-01-31 (UTC).")],
    root: Root = None,
) -> None:
    """Train the ranker on what was known two label windows before the end of a day, and gate it."""
    midnight = parse_instant(date)
    end_like_control_c()
    run_steps(TRAINING, Interval(midnight, midnight + ONE_DAY), _settings(root), cold=False)


def hour_at(text: str) -> Interval:
    """The hour that a key or an ISO 8601 instant names."""
    start_at = parse_instant(text)
    return Interval.parse(start_at.isoformat(), (start_at + ONE_HOUR).isoformat())


def run_steps(steps: Sequence[Step], interval: Interval, settings: Settings, *, cold: bool) -> None:
    """Run steps in order; StepFailed names the log of the first that fails, and the rest is not run."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<20}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        progress.console.print(f"interval {interval.key} in {settings.root}")
        for step in steps:
            bar = progress.add_task(step.name, total=1, said="")
            log = _log_of(step, interval, settings)
            command = step_command(step, settings, *interval_arguments(interval))
            run_step(step, [*command, *(["--cold"] if cold and step.name in COLD_STEPS else [])], log)
            progress.update(bar, completed=1, said=_said(log))


def run_step(step: Step, command: Sequence[str], log: Path) -> None:
    """Run one step with its output in `log`; StepFailed when it leaves with an error."""
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=stream, stderr=subprocess.STDOUT)
        try:
            code = process.wait()
        finally:  # Ctrl-C or a kill: the step ends with us
            process.terminate()
            process.wait()
    if code:
        raise StepFailed(
            f"step {step.name} failed with exit code {code} after {time.monotonic() - started:.0f} s: "
            f"{_reason(log)} (whole log: {log})"
        )


def end_like_control_c() -> None:
    """Let a polite kill end this process as Ctrl-C does, so that its step ends too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _settings(root: Path | None) -> Settings:
    settings = read_settings(os.environ)
    return replace(settings, root=(root or settings.root).resolve())


def _log_of(step: Step, interval: Interval, settings: Settings) -> Path:
    return Layout(settings.root).logs / "hour" / interval.key / f"{step.name}.log"


def _said(log: Path) -> str:
    done = [line for line in log.read_text(errors="replace").splitlines() if "event=job_done" in line]
    words = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in done]
    return ", ".join(f"{word['rows']} rows in {float(word['seconds']):.1f} s" for word in words)


def _reason(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if " ERROR " in line or "Error" in line]
    return (errors or lines or ["it said nothing"])[-1].strip()

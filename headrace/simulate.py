"""`simulate`: a world with known ground truth, written into the lake; same seed, same bytes."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from contracts.intervals import parse_instant
from contracts.settings import read_settings


def simulate_command(
    *,
    users: Annotated[int, typer.Option(help="Users, a fifth of whom arrive during the span.")] = 10_000,
    items: Annotated[int, typer.Option(help="Items, 15 % of which arrive during the span.")] = 2_000,
    events: Annotated[int, typer.Option(help="Events in all.")] = 1_000_000,
    days: Annotated[int, typer.Option(help="Days of the span.")] = 60,
    seed: Annotated[int, typer.Option(help="Same seed and sizes, same bytes.")] = 1,
    end: Annotated[str, typer.Option(help="End of the span: ISO 8601 on a whole hour, or now.")] = "2026-01-01T00",
    root: Annotated[
        Path | None, typer.Option("--root", "--out", help="Folder of everything a run writes; else HEADRACE_ROOT.")
    ] = None,
) -> None:
    """Write a simulated world into the lake, and its ground truth beside the lake."""
    from headrace.progress import show_progress
    from headrace.simulation import TRUTH, simulate
    from headrace.world import Plan

    plan = Plan(users, items, events, days, read_end(end, datetime.now(UTC)), seed)
    folder = root or read_settings(os.environ).root
    with show_progress() as on_progress:
        outcomes = simulate(plan, folder, on_progress)
    for outcome in outcomes:
        print(outcome.sentence())
    print(f"ground truth: {folder / TRUTH}")


def read_end(text: str, now: datetime) -> datetime:
    """End of the span: an ISO 8601 instant or "now", cut to the whole hour."""
    instant = now if text == "now" else parse_instant(text)
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

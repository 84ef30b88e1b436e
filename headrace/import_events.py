"""`import`: files or a sample become events, items and users of the lake."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import BadInput
from contracts.settings import Layout, read_settings

SAMPLE = "complete-journey"


def import_command(
    *,
    sample: Annotated[str, typer.Option(help=f"A data set that comes along: {SAMPLE}.")] = "",
    shift_to_now: Annotated[bool, typer.Option(help="Shift the sample by whole hours to end at this hour.")] = False,
    root: Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")] = None,
) -> None:
    """Import data into the lake; importing the same again changes nothing."""
    from headrace.import_sample import import_sample
    from headrace.progress import show_progress

    if sample != SAMPLE:
        raise BadInput(f"sample {sample!r} is unknown; there is {SAMPLE}")
    lake = Layout(root or read_settings(os.environ).root).lake
    with show_progress() as on_progress:
        outcomes = import_sample(lake, datetime.now(UTC) if shift_to_now else None, on_progress)
    for outcome in outcomes:
        print(outcome.sentence())

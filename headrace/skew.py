"""`skew`: whether the features that were served are those that the batch computes."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from contracts.feature_record import FEATURE_LOG_FOLDER
from contracts.settings import Layout, read_settings


def skew_command(
    *,
    last: Annotated[int, typer.Option(min=1, help="Newest logged answers to compare.")] = 1_000,
    root: Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")] = None,
) -> None:
    """Compute logged on-demand answers' features again from the lake; exit code 1 when any differs."""
    from spark_jobs.feature_skew import logged_lines, measure_skew

    settings = read_settings(os.environ)
    settings = replace(settings, root=root) if root is not None else settings
    found = measure_skew(settings, logged_lines(Layout(settings.root).logs / FEATURE_LOG_FOLDER, last))
    print(f"{found.answers} answers compared, {found.rows} rows of {len(found.differing)} features")
    for reason, count in sorted(found.left_out.items()):
        print(f"{count} answers left out: {reason}")
    if found.other_candidates:
        print(f"{found.other_candidates} answers had other candidates")
    for name, share in sorted(found.differing.items(), key=lambda pair: -pair[1]):
        if share:
            print(f"{share:9.4%} of rows differ in {name}")
    if not found.is_none:
        raise typer.Exit(1)
    print("nothing differs" if found.answers else "nothing to compare; see HEADRACE_FEATURE_LOG_ONE_IN")

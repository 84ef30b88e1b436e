"""`import`: files or a sample become events, items and users of the lake."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import BadInput
from contracts.settings import Layout, read_settings

if TYPE_CHECKING:
    from ingest.column_plan import ColumnPlan
    from ingest.outcome import Outcome

SAMPLE = "complete-journey"
_SHOWN_REASONS = 10


def import_command(
    files: Annotated[list[str] | None, typer.Argument(help="CSV, Parquet or JSON-lines files, folders, globs.")] = None,
    *,
    kind: Annotated[str, typer.Option(help="What the rows are: events, items or users.")] = "events",
    column: Annotated[list[str] | None, typer.Option(help="OURS=NAME: take a column of ours from NAME.")] = None,
    constant: Annotated[list[str] | None, typer.Option(help="OURS=VALUE: set a column of ours for all rows.")] = None,
    context: Annotated[list[str] | None, typer.Option(help="NAME: keep this column in the events' context.")] = None,
    sample: Annotated[str, typer.Option(help=f"A data set that comes along: {SAMPLE}.")] = "",
    shift_to_now: Annotated[bool, typer.Option(help="Shift the sample by whole hours to end at this hour.")] = False,
    root: Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")] = None,
) -> None:
    """Import data into the lake; importing the same again changes nothing."""
    from headrace.import_sample import import_sample
    from headrace.progress import show_progress
    from ingest.import_files import import_files
    from ingest.sources import find_files

    if bool(files) == bool(sample):
        raise BadInput(f"import takes either files or --sample {SAMPLE}; name one of them")
    if sample and sample != SAMPLE:
        raise BadInput(f"sample {sample!r} is unknown; there is {SAMPLE}")
    if shift_to_now and not sample:
        raise BadInput("--shift-to-now moves the sample only; events of files keep their time")
    lake, now = Layout(root or read_settings(os.environ).root).lake, datetime.now(UTC)
    plan = _read_plan(kind, column or [], constant or [], context or [])
    with show_progress() as on_progress:
        if sample:
            outcomes = import_sample(lake, now if shift_to_now else None, on_progress)
        else:
            outcomes = [import_files(find_files(files or []), plan, lake, now=now, on_progress=on_progress)]
    for outcome in outcomes:
        _tell(outcome)


def _read_plan(kind: str, column: list[str], constant: list[str], context: list[str]) -> "ColumnPlan":
    from ingest.column_plan import KINDS, ColumnPlan

    if kind not in KINDS:
        raise BadInput(f"--kind {kind} is unknown; it takes {', '.join(KINDS)}")
    return ColumnPlan(KINDS[kind], _pairs("--column", column), _pairs("--constant", constant), tuple(context))


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise BadInput(f"{option} {text} is no pair; write {option} user_id=household_id")
        if ours in pairs:
            raise BadInput(f"{option} names {ours} twice; once is enough")
        pairs[ours] = theirs
    return pairs


def _tell(outcome: "Outcome") -> None:
    print(outcome.sentence())
    ranked = sorted(outcome.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    for reason, count in ranked[:_SHOWN_REASONS]:
        print(f"  {count:,} rejected: {reason}")
    if len(ranked) > _SHOWN_REASONS:
        print(f"  and {len(ranked) - _SHOWN_REASONS:,} more reasons")
    if outcome.rejects:
        print(f"  rejected rows: {outcome.rejects}")

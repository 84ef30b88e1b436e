"""`models list` and `models diff`: which bundles there are, and what sets two of them apart."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.errors import MissingInput
from contracts.settings import read_settings

if TYPE_CHECKING:
    from headrace.model_notes import ModelNote

Root = Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")]
NDCG_FIGURES = ("ndcg", "ndcg_popularity", "ndcg_previous")

models_app = typer.Typer(help="Bundles of rankers and candidates.", no_args_is_help=True)


@models_app.command("list")
def list_command(root: Root = None) -> None:
    """List every finished bundle, rankers first, newest first."""
    from headrace.model_notes import read_notes

    notes = read_notes(_root(root))
    if not notes:
        raise MissingInput(f"{_root(root)} has no bundles; make them with: python -m headrace train DATE")
    rows = [(note.name, _mib(note.total_bytes), note.digest[:12], _summary(note)) for note in notes]
    _print_table(("bundle", "MiB", "digest", "figures"), rows)


@models_app.command("diff")
def diff_command(
    first: Annotated[
        str, typer.Argument(help="ranker/KEY, candidates/KEY or KEY; default the last but one ranker.")
    ] = "",
    second: Annotated[str, typer.Argument(help="The other one; default the newest ranker.")] = "",
    root: Root = None,
) -> None:
    """Show what sets two bundles apart: figures, order of features, sizes of files."""
    before, after = _chosen(_root(root), first, second)
    rows = [*_figure_rows(before, after), *_feature_rows(before, after), *_size_rows(before, after)]
    print(f"same bytes: digest {before.digest}" if before.digest == after.digest else f"{len(rows)} differences")
    if rows:
        _print_table(("what", before.name, after.name, "change"), rows)


def _chosen(root: Path, first: str, second: str) -> "tuple[ModelNote, ModelNote]":
    from headrace.model_notes import RANKER, find_note, read_notes

    if first and second:
        return find_note(root, first), find_note(root, second)
    rankers = [note for note in read_notes(root) if note.kind == RANKER]
    if first:
        return find_note(root, first), _newest(rankers, root)
    if len(rankers) < 2:
        raise MissingInput(f"{root} has {len(rankers)} rankers, and two are needed; train another or name two bundles")
    return rankers[1], rankers[0]


def _newest(rankers: "list[ModelNote]", root: Path) -> "ModelNote":
    if not rankers:
        raise MissingInput(f"{root} has no ranker to compare with; name two bundles")
    return rankers[0]


def _figure_rows(before: "ModelNote", after: "ModelNote") -> Iterator[tuple[str, ...]]:
    for name in sorted(before.figures.keys() | after.figures.keys()):
        old, new = before.figures.get(name), after.figures.get(name)
        if old != new:
            yield name, _word(old), _word(new), _change(old, new)


def _feature_rows(before: "ModelNote", after: "ModelNote") -> Iterator[tuple[str, ...]]:
    for gone in [name for name in before.features if name not in after.features]:
        yield f"feature {gone}", str(before.features.index(gone)), "-", "gone"
    for new in [name for name in after.features if name not in before.features]:
        yield f"feature {new}", "-", str(after.features.index(new)), "new"
    shared = [name for name in before.features if name in after.features]
    if shared != [name for name in after.features if name in before.features]:
        yield "order of features", "", "", "changed"


def _size_rows(before: "ModelNote", after: "ModelNote") -> Iterator[tuple[str, ...]]:
    for name in sorted(before.file_bytes.keys() | after.file_bytes.keys()):
        old, new = before.file_bytes.get(name), after.file_bytes.get(name)
        if old != new:
            yield f"{name}, bytes", _word(old), _word(new), _change(old, new)


def _change(old: Any, new: Any) -> str:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new))
    if not numbers:
        return ""
    share = f" ({(new - old) / abs(old):+.1%})" if old else ""
    return f"{new - old:+,.6g}{share}"


def _summary(note: "ModelNote") -> str:
    shown = [name for name in NDCG_FIGURES if name in note.figures] or list(note.figures)[:5]
    words = [f"{name} {_word(note.figures[name])}" for name in shown]
    return ", ".join([*words, f"{len(note.features)} features"] if note.features else words)


def _word(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _mib(size: int) -> str:
    return f"{size / 1024**2:.1f}"


def _root(root: Path | None) -> Path:
    return root or read_settings(os.environ).root


def _print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*row)
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)

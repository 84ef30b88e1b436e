"""`dead-letters list`, `show` and `replay`: what the gate refused, why, and the way back onto the stream."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import BadInput, MissingInput
from contracts.intervals import format_instant, parse_instant
from contracts.settings import Layout, Settings, read_settings

if TYPE_CHECKING:
    from ingest.dead_letters import Choice
    from ingest.replay import Replayed

Root = Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")]
Reason = Annotated[str, typer.Option(help="Only letters of this reason, such as occurred_at_ahead.")]
FromAt = Annotated[str, typer.Option("--from", help="Only letters received at or after this instant of UTC.")]
ToAt = Annotated[str, typer.Option("--to", help="Only letters received before this instant of UTC.")]
COLUMNS = ("letter", "received", "times", "reason", "source", "what was found and what to do")
SHOWN_ID, SHOWN_REFUSALS = 12, 10

dead_letters_app = typer.Typer(help="What the gate refused: list, show, replay.", no_args_is_help=True)


@dead_letters_app.command("list")
def list_command(
    reason: Reason = "",
    from_at: FromAt = "",
    to_at: ToAt = "",
    limit: Annotated[int, typer.Option(help="Show at most so many, the latest.", min=1)] = 50,
    root: Root = None,
) -> None:
    """List dead letters, the latest at the end, then how many there are of each reason."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ingest.dead_letters import list_letters

    notes = list_letters(_lake(root), _choice(reason, from_at, to_at))
    if not notes:
        print("no such dead letters; what was refused just now comes in with the next file of the archiver")
        return
    table = Table(box=None)
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for note in notes[-limit:]:
        received = format_instant(note.received_at)
        cells = (note.letter_id[:SHOWN_ID], received, str(note.times), note.reason, note.source, note.detail)
        table.add_row(*(Text(_harmless(cell)) for cell in cells))
    console = Console()
    (console if console.is_terminal else Console(width=240)).print(table)
    if len(notes) > limit:
        print(f"{len(notes) - limit:,} earlier ones are not shown; choose by --reason, --from, --to, or raise --limit")
    counts = {name: sum(note.times for note in notes if note.reason == name) for name in {n.reason for n in notes}}
    summary = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]))
    print(f"{len(notes):,} letters: {summary}")


@dead_letters_app.command("show")
def show_command(
    letter: Annotated[str, typer.Argument(help="The letter's id, or its beginning.")], root: Root = None
) -> None:
    """Show one dead letter and its bytes as they came."""
    from ingest.dead_letters import find_letter

    note, whole = find_letter(_lake(root), letter)
    lines = {
        "letter": note.letter_id,
        "reason": note.reason,
        "detail": note.detail,
        "stage": note.stage,
        "received": f"{format_instant(note.received_at)}" + (f", {note.times} times" if note.times > 1 else ""),
        "source": note.source,
        "schema version": str(note.schema_version),
        "offset": note.offset,
    }
    for name, value in lines.items():
        print(f"{name + ':':<16}{_harmless(value)}")
    print(_readable(whole.raw))
    print(f"mend it in a file, then: python -m headrace dead-letters replay {note.letter_id[:SHOWN_ID]} --with FILE")


@dead_letters_app.command("replay")
def replay_command(
    letters: Annotated[list[str] | None, typer.Argument(help="Ids of letters, or their beginnings.")] = None,
    reason: Reason = "",
    from_at: FromAt = "",
    to_at: ToAt = "",
    mended: Annotated[
        Path | None, typer.Option("--with", help="File with the mended JSON, taken instead of one letter's bytes.")
    ] = None,
    root: Root = None,
) -> None:
    """Take letters through the gate again and onto the stream; doing it twice changes nothing."""
    from headrace.progress import show_progress
    from ingest.dead_letters import find_letter, list_letters, read_letters
    from ingest.producers import open_producer
    from ingest.replay import replay

    settings = _settings(root)
    lake = Layout(settings.root).lake
    choice = replace(_choice(reason, from_at, to_at), letter_ids=tuple(letters or ()))
    if choice.is_all:
        raise BadInput("name letters, or choose them by --reason, --from or --to; list them first")
    for letter in letters or ():
        find_letter(lake, letter)
    total = len(list_letters(lake, choice))
    if not total:
        raise MissingInput("no dead letter is like that; see: python -m headrace dead-letters list")
    if mended is not None and total != 1:
        raise BadInput(f"--with mends one letter, and {total:,} were chosen; name one of them")
    producer = open_producer(settings)
    try:
        with show_progress() as move:
            outcome = replay(
                read_letters(lake, choice),
                producer,
                mended=_read(mended) if mended else None,
                on_letter=lambda done: move("letters replayed", done, total),
            )
    finally:
        producer.close()
    _tell(outcome, total)


def _tell(outcome: "Replayed", total: int) -> None:
    refused = len(outcome.refused)
    print(
        f"{total:,} letters: {outcome.new:,} events new on the stream, {outcome.duplicates:,} there already, "
        f"{refused:,} refused again"
    )
    for letter_id, verdict in outcome.refused[:SHOWN_REFUSALS]:
        print(f"  {letter_id[:SHOWN_ID]} {verdict.reason}: {_harmless(verdict.detail)}")
    if refused > SHOWN_REFUSALS:
        print(f"  … and {refused - SHOWN_REFUSALS:,} more")
    if refused:
        raise typer.Exit(1)


def _choice(reason: str, from_at: str, to_at: str) -> "Choice":
    from ingest.dead_letters import Choice

    return Choice(reason, parse_instant(from_at) if from_at else None, parse_instant(to_at) if to_at else None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"--with {path} cannot be read: {error.strerror}") from None


def _readable(raw: bytes) -> str:
    """Bytes indented when they are JSON, else as they came; what is no text is escaped."""
    try:
        text = json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = raw.decode(errors="backslashreplace")
    return "\n".join(map(_harmless, text.split("\n")))


def _harmless(text: str) -> str:
    """Text from strangers with what a terminal would obey escaped."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _lake(root: Path | None) -> Path:
    return Layout(_settings(root).root).lake


def _settings(root: Path | None) -> Settings:
    settings = read_settings(os.environ)
    return replace(settings, root=root) if root else settings

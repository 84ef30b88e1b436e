"""`versions`, `rollback` and `refill`: what serves, the way back in a second, and lists for an empty Redis."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.settings import Layout, Settings, read_settings

if TYPE_CHECKING:
    from spark_jobs.versions import VersionRow

Root = Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")]
COLUMNS = ("version", "role", "generated_at", "users", "keys", "bytes", "users/s", "seconds")
FIGURES = ("users", "keys", "bytes", "users_per_second", "seconds")


def versions_command(root: Root = None) -> None:
    """List the versions: the one that serves, the one before it, and the latest publish of each hour."""
    from rich.console import Console
    from rich.table import Table

    from spark_jobs.versions import list_versions

    rows = list_versions(_settings(root))
    if not rows:
        print("nothing was published yet; run an hour: python -m headrace hour 2026-01-31T07")
        return
    table = Table(box=None)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in COLUMNS[:3] else "right", overflow="fold")
    for row in rows:
        table.add_row(*_cells(row))
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)


def rollback_command(root: Root = None) -> None:
    """Serve the previous version again; a second rollback returns to where the first began."""
    from spark_jobs.versions import roll_back

    pointer = roll_back(_settings(root))
    print(f"{pointer.version} serves again (fence {pointer.fence}); {pointer.previous} is kept as the previous version")
    print("the next hour that is published serves as usual; stop its schedule if it must not")


def refill_command(root: Root = None) -> None:
    """Fill a Redis that was restarted empty: the hour that served last, and what people did since, from the lake."""
    from ingest.hot_restore import await_archiver, restore
    from ingest.redis_store import open_store
    from spark_jobs.refill import refill

    settings = _settings(root)
    made = refill(settings)
    print("Redis serves already" if made is None else f"{made.digest} serves, {made.rows:,} users")
    now, store = datetime.now(UTC), open_store(settings, on_failure=lambda kind: None)
    await_archiver(Layout(settings.root).lake, now)
    print(f"{restore(settings, store, now):,} posted events count again")
    store.close()


def _settings(root: Path | None) -> Settings:
    settings = read_settings(os.environ)
    return replace(settings, root=root) if root else settings


def _cells(row: "VersionRow") -> list[str]:
    figures = [_number(row.figures.get(name)) for name in FIGURES]
    return [row.version or f"({row.interval})", row.role, row.generated_at, *figures]


def _number(value: float | int | str | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)

"""The evaluation on the screen: a table a mode, and the closing sentence."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from models.evaluation_intervals import Estimate
from models.evaluation_report import (
    CHARACTER,
    HIT,
    MRR,
    NDCG,
    OURS,
    RECALL,
    MethodResult,
    ModeResult,
    Report,
    verdict,
)

WIDE = 180  # columns of a screen that holds every number with its interval
TITLES = {
    NDCG: "NDCG@10",
    RECALL: "Recall@20",
    MRR: "MRR@20",
    HIT: "Hit@10",
    "novelty": "novelty",
    "diversity": "diversity",
    "popularity_lift": "popularity lift",
    "miscalibration": "miscalibration",
}
HEADINGS = ("method", *(TITLES[name] for name in (NDCG, RECALL)), f"{OURS} ahead by", "MRR", "Hit")
MORE_HEADINGS = ("coverage", *(TITLES[name] for name in CHARACTER))


def show(report: Report, page: Path) -> None:
    """Print the tables of all modes, what was skipped, the verdict, and where the page lies."""
    console = Console()
    for mode in report.modes:
        console.print(_table(mode, is_wide=console.width >= WIDE))
    for one in report.skipped:
        console.print(f"skipped: {one.name}: {one.why}")
    console.print(f"[bold]{verdict(report)}[/bold]", soft_wrap=True)
    console.print(f"{page} has the plots ({report.seconds['all']:.0f} s, {report.peak_bytes / 2**30:.1f} GB)")


def rows_of(mode: ModeResult) -> list[tuple[str, ...]]:
    """The table's rows as text, ours first and then by NDCG@10."""
    peers = sorted(mode.methods[1:], key=lambda one: -one.metrics[NDCG].mean)
    return [_row(one) for one in (mode.ours, *peers)]


def _row(one: MethodResult) -> tuple[str, ...]:
    ahead = one.ahead.get(NDCG)
    return (
        one.name,
        with_interval(one.metrics[NDCG]),
        with_interval(one.metrics[RECALL]),
        f"{ahead.mean:+.4f} ({ahead.low:+.4f} to {ahead.high:+.4f})" if ahead else "",
        f"{one.metrics[MRR].mean:.3f}",
        f"{one.metrics[HIT].mean:.3f}",
        f"{one.coverage:.2%}",
        *(f"{one.metrics[name].mean:.2f}" for name in CHARACTER),
    )


def with_interval(found: Estimate) -> str:
    """A mean with the bounds of its interval."""
    return f"{found.mean:.4f} ({found.low:.3f}–{found.high:.3f})"


def _table(mode: ModeResult, *, is_wide: bool) -> Table:
    """All columns, or on a narrow screen what decides; the page has the rest."""
    headings = (*HEADINGS, *MORE_HEADINGS) if is_wide else HEADINGS
    table = Table(title=f"{mode.mode}: {mode.users:,} people", title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for row in rows_of(mode):
        cells = row if is_wide else (row[0], *(cell.split(" ")[0] for cell in row[1:3]), *row[3 : len(headings)])
        table.add_row(*cells, style="bold" if row[0] == OURS else None)
    return table

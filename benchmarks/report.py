"""One way for every benchmark to show and keep its result: a small table and a JSON file."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ARTIFACTS = Path("artifacts") / "benchmarks"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, against what, and the ratio that counts on a noisy machine."""

    what: str
    measured: str
    reference: str
    ratio: float | None
    goal: str
    met: bool | None = None


def show(name: str, figures: Sequence[Figure], conditions: dict[str, object]) -> None:
    """Print the table and write artifacts/benchmarks/<name>.json."""
    table = Table(title=name, caption=", ".join(f"{key} {value}" for key, value in conditions.items()))
    for column in ("what", "measured", "reference", "ratio", "goal", "met"):
        table.add_column(column)
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        table.add_row(figure.what, figure.measured, figure.reference, ratio, figure.goal, _word(figure.met))
    Console().print(table)
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[1], 1)}
    document = {"name": name, "conditions": conditions | machine, "figures": [asdict(figure) for figure in figures]}
    (ARTIFACTS / f"{name}.json").write_text(json.dumps(document, indent=1, default=str) + "\n")


def _word(met: bool | None) -> str:
    return {True: "yes", False: "NO", None: ""}[met]

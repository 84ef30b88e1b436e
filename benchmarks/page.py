"""docs/benchmarks.md out of the JSON files that the benchmarks left: the last result of each, with its conditions."""

import json
from pathlib import Path
from typing import Any

from benchmarks.report import ARTIFACTS

BENCHMARKS = (
    "lookups",
    "kill_redis",
    "publish",
    "als_engines",
    "demo_hour",
    "hour",
    "gate",
    "events_http",
    "archiver",
    "stream_fsync",
    "retrieval",
    "precision",
    "sessions",
    "tail_quality",
    "tail_path",
    "tail_http",
    "stuck_tail",
    "inference",
)
PAGE = Path("docs") / "benchmarks.md"
OPENING = """# Benchmarks

The last result of each script in `benchmarks/`, as `python -m benchmarks` wrote it. Machines are shared and noisy: what
counts is the ratio to the reference measured in the same run, not a time. `NO` is a goal that was missed.
"""


def write_page() -> None:
    """Rewrite the page from all results in the artifacts folder; benchmarks without one are named."""
    results = {name: ARTIFACTS / f"{name}.json" for name in BENCHMARKS}
    parts = [_section(json.loads(path.read_text())) for path in results.values() if path.exists()]
    missing = [f"- `python -m benchmarks.{name}`" for name, path in results.items() if not path.exists()]
    if missing:
        parts.append("## Without a result yet\n\n" + "\n".join(missing) + "\n")
    PAGE.write_text("\n".join([OPENING, *parts]))


def _section(document: dict[str, Any]) -> str:
    conditions = ", ".join(f"{name} {value}" for name, value in document["conditions"].items())
    rows = "\n".join(_row(figure) for figure in document["figures"])
    heading = f"## {document['name']}\n\n`python -m benchmarks.{document['name']}` ({conditions})\n"
    return f"{heading}\n| what | measured | reference | ratio | goal | met |\n|---|---|---|---|---|---|\n{rows}\n"


def _row(figure: dict[str, Any]) -> str:
    ratio = "" if figure["ratio"] is None else f"{figure['ratio']:.2f}"
    met = {True: "yes", False: "NO", None: ""}[figure["met"]]
    cells = (figure["what"], figure["measured"], figure["reference"], ratio, figure["goal"], met)
    return "| " + " | ".join(str(cell).strip().replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    write_page()

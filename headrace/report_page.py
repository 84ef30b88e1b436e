"""report.html, report.json and the plots of an evaluation: one folder that can be opened or sent as it is."""

import base64
import json
import math
from html import escape
from pathlib import Path
from typing import Any

from headrace.evaluate_screen import HEADINGS, MORE_HEADINGS, rows_of
from headrace.report_plots import TITLES, draw_all
from models.evaluation_report import ALL, NEW_USERS, OURS, ModeResult, Report, verdict

PAGE, JSON_FILE = "report.html", "report.json"
CAPTIONS = {
    "accuracy": "How good each method's first ten are. The line is the 95 % interval over people.",
    "bands": "By activity: the head gets lists made each hour, the tail on demand. Below a name: how many people.",
    "history": "By how much is known of a person, from the shortest histories to the longest.",
    "regions": "By region, the largest ones.",
    "coverage": "Accuracy against how much of the catalogue is shown to anybody; further up and right is better.",
}
TERMS = """NDCG@10 and Recall@20 rank all items, none sampled, against everything a person touched after the split;
items that nobody had touched before count as misses. Novelty: mean bits of surprise. Diversity: share of pairs of
different categories. Popularity lift: how much more popular a list is than the history, 0 is alike. Miscalibration:
Kullback-Leibler distance of the categories from those of the history, 0 is alike. Intervals: 95 %, bootstrap over
people, the same draws for all methods, so that differences are paired."""
STYLE = """body{font:15px/1.5 system-ui,sans-serif;color:#22313a;max-width:1280px;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2.2rem}.verdict{font-size:1.15rem;background:#eef6f9;
border-left:5px solid #0b6e8f;padding:.9rem 1.1rem;border-radius:3px}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.8rem;font-variant-numeric:tabular-nums}th,td{padding:.3rem .45rem;
text-align:right;border-bottom:1px solid #e1e7ea;white-space:nowrap}th{vertical-align:bottom;white-space:normal}
th:first-child,td:first-child{text-align:left}tr.ours{font-weight:600;background:#eef6f9}figure{margin:1.2rem 0}
img{max-width:100%}figcaption,small,.terms{color:#5b6b74;font-size:.85rem}"""


def write_report(report: Report, folder: Path) -> Path:
    """Write page, plots and JSON into `folder`, and return the page; the plots are also inside the page."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = draw_all(report, folder)
    (folder / JSON_FILE).write_text(json.dumps(plain(report.as_json()), indent=1, ensure_ascii=False) + "\n")
    page = folder / PAGE
    page.write_text(_html(report, plots), encoding="utf-8")
    return page


def plain(value: Any) -> Any:
    """The same value with null for what is no number: JSON knows no NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def _html(report: Report, plots: dict[str, Path]) -> str:
    facts = "".join(f"<tr><td>{escape(name)}</td><td>{_shown(value)}</td></tr>" for name, value in report.facts.items())
    skipped = "".join(f"<li>{escape(one.name)}: {escape(one.why)}</li>" for one in report.skipped)
    body = [
        "<h1>Should I use Headrace instead of what I have?</h1>",
        f"<small>{escape(report.source)}, split at {escape(report.split_at)}</small>",
        f'<p class="verdict">{escape(verdict(report))}</p>',
        *(_figure(name, path) for name, path in plots.items() if name == "accuracy"),
        *(_mode(mode) for mode in report.modes),
        f'<p class="terms">{escape(TERMS)}</p>',
        f"<h2>Skipped</h2><ul>{skipped}</ul>" if skipped else "",
        "<h2>Where and for whom</h2>",
        *(_figure(name, path) for name, path in plots.items() if name != "accuracy"),
        f'<h2>The data</h2><table>{facts}</table><p class="terms">{_cost(report)}</p>',
    ]
    head = f"<meta charset=utf-8><title>Headrace evaluation</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(body)}</body></html>\n"


def _mode(mode: ModeResult) -> str:
    if not mode.users:
        return f"<h2>{escape(mode.mode)}</h2><p>Nobody to measure.</p>"
    headings = "".join(f"<th>{escape(name)}</th>" for name in (*HEADINGS, *MORE_HEADINGS))
    rows = "".join(_row(row) for row in rows_of(mode))
    title = f"{mode.mode}: {TITLES[mode.mode]}, {mode.users:,} people"
    few = "<p>So few people that the intervals are wide.</p>" if mode.mode == NEW_USERS and mode.users < 200 else ""
    return f"<h2>{escape(title)}</h2>{few}<div class=scroll><table><tr>{headings}</tr>{rows}</table></div>"


def _row(row: tuple[str, ...]) -> str:
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
    return f"<tr class=ours>{cells}</tr>" if row[0] == OURS else f"<tr>{cells}</tr>"


def _figure(name: str, path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    caption = escape(CAPTIONS[name])
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
    )


def _shown(value: float | str) -> str:
    return escape(value) if isinstance(value, str) else f"{value:,}"


def _cost(report: Report) -> str:
    slowest = sorted(report.seconds.items(), key=lambda pair: -pair[1])[1:5]
    parts = ", ".join(f"{escape(name)} {seconds:.0f} s" for name, seconds in slowest)
    memory = f"{report.peak_bytes / 2**30:.1f} GB"
    return f"{report.seconds.get(ALL, 0):.0f} s in all; longest: {parts}. Memory at most {memory}."

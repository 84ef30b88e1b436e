"""`evaluate`: how good the lists are that Headrace would serve on these data, beside what a team would use instead."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import BadInput
from contracts.settings import Layout, read_settings

if TYPE_CHECKING:
    from models.peers.peer import Peer

ALL_PEERS = "all"
MODES = {"all": ("all",), "novel": ("novel",), "both": ("all", "novel", "new users")}
FOLDER = "evaluation"

Files = Annotated[
    list[str] | None, typer.Option(help="Files, folders or globs with our column names, as `import` takes them.")
]


def evaluate_command(  # noqa: PLR0913 - each is an option of the command line
    *,
    events: Files = None,
    items: Files = None,
    users: Files = None,
    split: Annotated[str, typer.Option(help="Share of events before the split, or a date.")] = "0.8",
    mode: Annotated[str, typer.Option(help="all (repeats count), novel (only new items count) or both.")] = "both",
    peers: Annotated[str, typer.Option(help="Names by comma, all or none.")] = ALL_PEERS,
    peer: Annotated[list[str] | None, typer.Option(help="One of your own: my_module:my_function.")] = None,
    reveal: Annotated[int, typer.Option(help="Items shown of people without a history.")] = 5,
    hold_out: Annotated[float, typer.Option(help="Share of people whose past is hidden, so that they are new.")] = 0.0,
    most_users: Annotated[int, typer.Option(help="People measured at most; a sample by hash beyond.")] = 20_000,
    minutes: Annotated[float, typer.Option(help="No peer is begun after so many minutes.")] = 60.0,
    out: Annotated[Path | None, typer.Option(help="Folder of report.html, the plots and report.json.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of tables.")] = False,
    root: Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")] = None,
) -> None:
    """Measure the lists of the production path and of peers on what came after a split in time."""
    from headrace.evaluate_data import read_source, source_lake
    from headrace.evaluate_run import Plan, Run, evaluate
    from headrace.evaluate_screen import show
    from headrace.progress import show_progress
    from headrace.report_page import plain, write_report

    if mode not in MODES:
        raise BadInput(f"--mode {mode} is unknown; it takes {', '.join(MODES)}")
    settings = read_settings(os.environ)
    settings = replace(settings, root=(root or settings.root).resolve())
    folder = (out or settings.root / FOLDER).resolve()
    plan = Plan(chosen_peers(peers, peer or []), split, MODES[mode], reveal, hold_out, most_users, minutes)
    files = {"events": events or [], "items": items or [], "users": users or []}
    lake = Layout(settings.root).lake
    name = ", ".join(events) if events else str(lake)
    scratch = replace(settings, root=Layout(settings.root).cache / FOLDER)
    with show_progress() as on_progress:
        with source_lake(lake, files, on_progress) as found:
            source = read_source(found, settings)
        report = evaluate(source, name, plan, settings=scratch, run=Run(on_progress))
    page = write_report(report, folder)
    if as_json:
        print(json.dumps(plain(report.as_json()), indent=1))
    else:
        show(report, page)


def chosen_peers(names: str, own: list[str]) -> "Mapping[str, Peer]":
    """Peers by name and by module:function; BadInput lists those that there are."""
    from headrace.evaluate_spark_als import NAME as SPARK_ALS
    from headrace.evaluate_spark_als import fitted_with_the_jobs
    from models.peers.built_in import BUILT_IN, load_peer

    known = {**BUILT_IN, SPARK_ALS: fitted_with_the_jobs}
    wanted = {ALL_PEERS: list(known), "none": []}.get(names, [name.strip() for name in names.split(",")])
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise BadInput(f"--peers {', '.join(unknown)} is unknown; there are {', '.join(known)}; or all, or none")
    return {name: known[name] for name in wanted} | {path: load_peer(path) for path in own}

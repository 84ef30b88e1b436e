"""`demo`: real purchases in, a day trained, one hour run by Airflow, lists on curl; it stays up until Ctrl-C."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from contracts.settings import read_settings

INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def demo_command(
    *,
    once: Annotated[bool, typer.Option("--once", help="Stop once the first list was looked up.")] = False,
    root: Annotated[Path | None, typer.Option(help="Folder of everything it writes; else HEADRACE_ROOT.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the HTTP server; else the one of HEADRACE_BIND.")] = None,
) -> None:
    """Import real purchases, let Airflow train and run one hour, and serve the lists until Ctrl-C."""
    from headrace.demo_run import Demo

    settings = read_settings(os.environ)
    settings = replace(settings, root=(root or settings.root).absolute())
    if port is not None:
        settings = replace(settings, bind=f"{settings.bind.rpartition(':')[0]}:{port}")
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    demo = Demo(settings)
    try:
        demo.run(once=once)
    except KeyboardInterrupt:
        print("headrace: the demo has stopped, and nothing of it is left running", flush=True)
        raise SystemExit(0 if demo.ready else INTERRUPTED) from None


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # from here on only stopping is left to do, and it must end
    raise KeyboardInterrupt

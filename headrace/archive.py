"""`archive`: the stream into the lake, until Ctrl-C."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from contracts.settings import ENV_PREFIX, Layout, read_settings


def archive_command(
    once: Annotated[bool, typer.Option("--once", help="Archive what is there by now, then end.")] = False,
    root: Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")] = None,
) -> None:
    """Bring events from the stream into the lake; Ctrl-C finishes the flush under way and ends it."""
    from ingest.archiver import Archiver, only_archiver
    from ingest.consumers import open_consumer

    settings = read_settings({**os.environ, **({f"{ENV_PREFIX}ROOT": str(root)} if root else {})})
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    with only_archiver(Layout(settings.root).lake):
        consumer = open_consumer(settings)
        try:
            archiver = Archiver(consumer, settings)
            if once:
                archiver.run_once()
            else:
                print(
                    f"archiving {_without_password(settings.stream_url)} into {Layout(settings.root).lake}", flush=True
                )
                archiver.run(ending)
        finally:
            consumer.close()


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"

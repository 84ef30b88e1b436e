"""`infer`: the inference service, which answers the serving processes over a socket, until Ctrl-C."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.settings import ENV_PREFIX, read_settings


def infer_command(
    root: Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")] = None,
) -> None:
    """Compute answers on demand for the HTTP server; Ctrl-C finishes what was asked and ends it."""
    from serving.inference.service import run_service

    if root:
        os.environ[f"{ENV_PREFIX}ROOT"] = str(root)  # for its workers too
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    run_service(read_settings(os.environ))

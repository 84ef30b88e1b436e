"""`infer`: the inference service, which answers the serving processes over a socket, until Ctrl-C."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.settings import ENV_PREFIX, read_settings

COMMAND = [sys.executable, "-m", "serving.inference"]


def infer_command(
    root: Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")] = None,
) -> None:
    """Compute answers on demand for the HTTP server; Ctrl-C finishes what was asked and ends it."""
    from serving.inference.address import inference_address

    environment = {**os.environ, **({f"{ENV_PREFIX}ROOT": str(root)} if root else {})}
    print(f"answering on demand at {inference_address(read_settings(environment))}", flush=True)
    os.execve(sys.executable, COMMAND, environment)

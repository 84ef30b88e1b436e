"""`serve`: the HTTP server alone, on lists already published, until Ctrl-C."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.settings import ENV_PREFIX, Settings, read_settings
from headrace import ports

CONFIGURATION = "python:serving.gunicorn_conf"


def serve_command(
    root: Annotated[Path | None, typer.Option(help="Folder of everything a run writes; else HEADRACE_ROOT.")] = None,
    bind: Annotated[str | None, typer.Option(help="Address to listen on; else HEADRACE_BIND.")] = None,
) -> None:
    """Serve look-ups over HTTP; Ctrl-C ends it."""
    given = {"ROOT": str(root) if root else None, "BIND": bind}
    environment = {**os.environ, **{ENV_PREFIX + name: text for name, text in given.items() if text}}
    settings = read_settings(environment)
    refuse_what_cannot_work(settings)
    print(f"serving on http://{settings.bind} (docs at /docs), lists from {_without_password(settings.redis_url)}")
    sys.stdout.flush()
    os.execve(sys.executable, serve_arguments(), environment)


def serve_arguments() -> list[str]:
    """Argument list of the server; what it does is set by HEADRACE_* in its environment."""
    return [sys.executable, "-m", "gunicorn", "--config", CONFIGURATION]


def refuse_what_cannot_work(settings: Settings) -> None:
    """Raise for a taken port, or a placements file, URL or file of keys that a server could not start with."""
    from ingest.producers import open_producer
    from ingest.redis_endpoint import parse_endpoint
    from serving.api_keys import keys_file, read_keys
    from serving.placements import read_placements

    host, number = ports.split_bind(settings.bind)
    ports.refuse_taken([ports.Port(host, number, "the HTTP server", "HEADRACE_BIND")])
    read_placements(settings.placements_file)
    parse_endpoint(settings.redis_url)
    open_producer(settings).close()
    read_keys(keys_file(settings))


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"

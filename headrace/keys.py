"""`keys create|list|revoke`: API keys of an installation; servers that run take a change at once."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from contracts.settings import read_settings
from serving.api_keys import SCOPES, create_key, keys_file, read_keys, revoke_key

keys_app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)


def _file() -> Path:
    return keys_file(read_settings(os.environ))


@keys_app.command("create")
def create_command(
    name: Annotated[str, typer.Option(help="Whom the key is for, such as web or till; also the source of events.")],
    scope: Annotated[list[str], typer.Option(help=f"What it may do: {', '.join(SCOPES)}; may be given again.")],
) -> None:
    """Make a key and show it, this once; only its digest is kept."""
    text, key = create_key(_file(), name, scope)
    print(f"The key of {key.name} ({', '.join(key.scopes)}), shown this once:")
    print(text)


@keys_app.command("list")
def list_command() -> None:
    """Show the keys, without what would let anybody use them."""
    table = Table("name", "id", "scopes", "created")
    for key in read_keys(_file()):
        table.add_row(key.name, key.key_id, ", ".join(key.scopes), key.created_at)
    Console().print(table)


@keys_app.command("revoke")
def revoke_command(name: Annotated[str, typer.Argument(help="Name or id of the key.")]) -> None:
    """Make a key useless from the next request on."""
    key = revoke_key(_file(), name)
    print(f"revoked {key.name} ({key.key_id})")

"""The socket that serving processes connect to; one service at a time holds it."""

import asyncio
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from contracts.errors import BadInput
from serving.inference.address import Address

BACKLOG = 1_024
OWNER_ONLY = 0o177  # what is masked: others on the machine may neither ask nor look


@asynccontextmanager
async def listening(address: Address, protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[asyncio.Server]:
    """Listen until the block ends; BadInput when another service does so already."""
    loop = asyncio.get_running_loop()
    if not address.unix_path:
        try:
            server = await loop.create_server(protocol, address.host, address.port, backlog=BACKLOG)
        except OSError as error:
            raise _taken(address) from error
        yield server
        return
    path = Path(address.unix_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(address) from None
        bound = _bind_private(path)
        try:
            yield await loop.create_unix_server(protocol, sock=bound, backlog=BACKLOG)
        finally:
            path.unlink(missing_ok=True)


def _bind_private(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(OWNER_ONLY)
    try:
        path.unlink(missing_ok=True)  # whoever held the lock before left it
        bound.bind(str(path))
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(mask)
    return bound


def _taken(address: Address) -> BadInput:
    return BadInput(f"{address} is in use: end the service that listens there, or set HEADRACE_INFERENCE_URL")

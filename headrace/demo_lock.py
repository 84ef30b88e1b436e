"""One demo a root: the running one is named, and a lock of a demo that was killed is free again."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import BadInput

LOCK_FILE = "demo.lock"


@contextmanager
def hold_lock(root: Path, facts: Mapping[str, str]) -> Iterator[None]:
    """Hold the lock of `root` and leave `facts` in it; BadInput tells the facts of the demo that holds it."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / LOCK_FILE).open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(_describe(stream.name)) from None
        stream.truncate(0)
        stream.write(json.dumps({"pid": os.getpid(), **facts}))
        stream.flush()
        yield


def _describe(file: str) -> str:
    try:
        held = json.loads(Path(file).read_text())
    except ValueError:
        held = {}
    where = ", ".join(f"{name} at {url}" for name, url in held.items() if name != "pid")
    pid = held.get("pid", "unknown")
    return f"the demo is already running as process {pid}: {where}; stop it with Ctrl-C there, or with: kill {pid}"

"""Which models are to answer: what the pointer says, and what is remembered of it while Redis is away."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

MEMORY_FILE = Path("run", "inference_target.json")


@dataclass(frozen=True, slots=True)
class Target:
    """A published version and its hour."""

    version: str
    interval: str


def remember(root: Path, target: Target) -> None:
    """Keep what answers now for a start without Redis."""
    file = root / MEMORY_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(asdict(target)))
    partial.replace(file)


def recall(root: Path) -> Target | None:
    """What answered last, if that can be told."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Target(**json.loads((root / MEMORY_FILE).read_text()))
    return None

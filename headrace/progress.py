"""One progress bar a stage on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TaskID

from ingest.outcome import OnProgress


@contextmanager
def show_progress() -> Iterator[OnProgress]:
    """Hand out a function that moves the bar of a stage, each stage with a bar of its own."""
    bars: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True)) as progress:

        def move(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                bars[stage] = progress.add_task(stage)
            progress.update(bars[stage], completed=done, total=total)

        yield move

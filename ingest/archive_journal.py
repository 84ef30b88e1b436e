"""Many folders of the lake change as one: made ready aside, noted in a journal, then moved; a crash repeats the moves.

The journal appears by a rename, and that is the moment at which a change has happened. A move that is repeated finds
the folder as it was before, and moves, or as it is after, and does nothing. A folder that somebody else changed in
between is left alone: what was to go in is still in the stream, and comes again.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contracts.lake_notes import mark_dirty
from ingest.scratch import swap_folder

logger = logging.getLogger(__name__)
FOLDER, JOURNAL = ".archive", "journal.json"
# Heard by tests, which kill the process there.
STAGED, COMMITTED, MOVED, MARKED = "staged", "committed", "moved", "marked"


@dataclass(frozen=True, slots=True)
class Move:
    """A folder to be: `staged` under the journal's folder, `target` under the lake, and the file names of both."""

    staged: str
    target: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Journal:
    """One change at a time; use it while holding the lake's writer lock."""

    def __init__(self, lake: Path, on_step: Callable[[str], None] = lambda step: None) -> None:
        self._lake = lake
        self._folder = lake / FOLDER
        self._moves: list[Move] = []
        self._on_step = on_step

    def stage(self, target: Path, kept: Sequence[str], name: str, data: Any) -> None:
        """Make a folder ready: files kept of `target`, by hard link, and a new one. OSError when the disk is full."""
        before = names_of(target)
        staged = self._folder / f"{len(self._moves):06d}"
        staged.mkdir(parents=True)
        for held in kept:
            _link(target / held, staged / held)
        _write_durably(staged / name, data)
        _sync(staged)
        self._on_step(STAGED)
        after = tuple(sorted({*kept, name}))
        self._moves.append(Move(staged.name, str(target.relative_to(self._lake)), before, after))

    def commit(self, dirty_hours: Sequence[str]) -> None:
        """Let it happen: everything that was staged is in its place, and hours are marked, when this returns."""
        if not self._moves and not dirty_hours:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        document = {"moves": [asdict(move) for move in self._moves], "dirty_hours": list(dirty_hours)}
        partial = self._folder / f"{JOURNAL}.partial"
        _write_durably(partial, json.dumps(document).encode())
        partial.rename(self._folder / JOURNAL)
        _sync(self._folder)
        self._on_step(COMMITTED)
        self.recover()

    def recover(self) -> None:
        """Finish what a journal says, if there is one, and clear away what never got into one."""
        journal = self._folder / JOURNAL
        if journal.exists():
            document = json.loads(journal.read_text())
            self._apply([Move(**move) for move in document["moves"]], document["dirty_hours"])
            self._on_step(MARKED)
            journal.unlink()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._moves = []

    def _apply(self, moves: Sequence[Move], dirty_hours: Sequence[str]) -> None:
        for move in moves:
            target, found = self._lake / move.target, names_of(self._lake / move.target)
            if found == tuple(move.before) and found != tuple(move.after):
                swap_folder(self._folder / move.staged, target, self._folder)
                self._on_step(MOVED)
            elif found != tuple(move.after):
                logger.warning("archive_move_left folder=%s: somebody else changed it; its rows come again", target)
        for parent in {parent for move in moves for parent in self._parents(move)}:
            _sync(parent)
        for hour in dirty_hours:
            mark_dirty(self._lake, hour)

    def _parents(self, move: Move) -> Iterable[Path]:
        """Folders whose entries a move changed: all up to the lake, since any may be new."""
        target = self._lake / move.target
        return (self._lake, *(parent for parent in target.parents if self._lake in parent.parents))


def names_of(folder: Path) -> tuple[str, ...]:
    """Parquet files of a folder by name; none when there is no folder."""
    return tuple(sorted(file.name for file in folder.glob("*.parquet")))


def _link(file: Path, link: Path) -> None:
    try:
        os.link(file, link)
    except PermissionError:  # a file system without links
        shutil.copyfile(file, link)


def _write_durably(path: Path, data: Any) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Files that the archiver may replace at any moment, held by hard links while a job reads them.

A folder of the lake changes in one step, and the file that was there is removed; a link keeps its content readable.
"""

import atexit
import errno
import os
import shutil
from itertools import count
from pathlib import Path
from uuid import uuid4

from contracts.errors import MissingInput

HELD = ".held"
TRIES = 50  # a folder that changes under every single try is not the archiver's doing
_NO_LINKS = (errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK)
_PROCESS = uuid4().hex
_numbers = count()
_lakes: set[Path] = set()


def hold(lake: Path, folder: Path) -> list[Path]:
    """Parquet files of a folder of the lake as they are now, under their own names, until this process ends."""
    for _ in range(TRIES):
        place = _place_of(lake) / str(next(_numbers)) / folder.name
        try:
            return [_link(file, place) for file in sorted(folder.glob("*.parquet"))]
        except FileNotFoundError:  # replaced between listing and linking
            shutil.rmtree(place.parent)
    raise MissingInput(f"{folder} changed {TRIES} times while it was being opened; see what writes it, then run again")


def _link(file: Path, place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    held = place / file.name
    try:
        os.link(file, held)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(file, held)
    return held


def _place_of(lake: Path) -> Path:
    if lake not in _lakes:
        _lakes.add(lake)
        atexit.register(shutil.rmtree, lake / HELD / _PROCESS, ignore_errors=True)
    return lake / HELD / _PROCESS

"""Merge what several sources found into one set of candidates, without losing depth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput

Rows = NDArray[np.int32] | NDArray[np.int64]


def merge_sources(
    sources: Sequence[Rows], fillers: Sequence[Rows], closed: NDArray[np.bool_], count: int
) -> NDArray[np.int32]:
    """Up to `count` distinct open rows, int32 ascending; fewer only when no more items are open.

    All open rows of `sources` come in, in their order until `count` are found; then `fillers` in turn, best first;
    then any item, lowest row first. `closed` bool [items] names the items that must not appear.
    """
    if count < 0:
        raise BadInput(f"{count} candidates were asked for; ask for 0 or more")
    taken = closed.copy()  # what is closed is as good as taken
    places = np.empty(len(closed), np.int32)  # only read where it was written
    found: list[Rows] = []
    missing = count
    for rows in (*sources, *fillers):
        if not missing:
            break
        fresh = _distinct(rows[~taken[rows]], places)[:missing]
        taken[fresh] = True
        missing -= len(fresh)
        found.append(fresh)
    if missing:
        found.append(np.flatnonzero(~taken)[:missing])
    return np.sort(np.concatenate([np.zeros(0, np.int32), *found])).astype(np.int32)


def _distinct(rows: NDArray[Any], places: NDArray[np.int32]) -> NDArray[Any]:
    """The first of equal rows, in order; a source may name an item twice. `places` is room to write in."""
    order = np.arange(len(rows), dtype=np.int32)
    places[rows[::-1]] = order[::-1]  # the last write wins, which is the first of equals
    return np.asarray(rows[places[rows] == order])

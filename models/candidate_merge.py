"""Merge what several sources found into one set of candidates, without losing depth."""

from collections.abc import Sequence

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
    missing = count
    for rows in (*sources, *fillers):
        if not missing:
            break
        missing -= _take(rows, taken, missing)
    if missing:
        taken[np.flatnonzero(~taken)[:missing]] = True
    return np.flatnonzero(taken & ~closed).astype(np.int32)


def _take(rows: Rows, taken: NDArray[np.bool_], most: int) -> int:
    """Mark the first `most` rows that are not taken yet; return how many there were."""
    fresh = rows[~taken[rows]]
    _, first = np.unique(fresh, return_index=True)  # a source may name an item twice
    fresh = fresh[np.sort(first)][:most]
    taken[fresh] = True
    return len(fresh)

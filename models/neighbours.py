"""Neighbour lists as padded arrays, one row an item."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.id_map import UNKNOWN_ROW, IdMap


def pad_neighbours(
    items: IdMap, item_ids: Sequence[str], neighbour_ids: Sequence[str], scores: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Turn parallel columns (item, neighbour, score) into rows int32 [n, K] and scores float32 [n, K].

    Best first, ties by row; padded with UNKNOWN_ROW and 0. Pairs with an unknown item are left out.
    """
    left, right = items.rows(item_ids), items.rows(neighbour_ids)
    values = np.asarray(scores, np.float32)
    known = (left >= 0) & (right >= 0)
    left, right, values = left[known], right[known], values[known]
    order = np.lexsort((right, -values, left))
    left, right, values = left[order], right[order], values[order]
    counts = np.bincount(left, minlength=len(items))
    place = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = int(counts.max(initial=0))
    rows = np.full((len(items), width), UNKNOWN_ROW, np.int32)
    padded = np.zeros((len(items), width), np.float32)
    rows[left, place], padded[left, place] = right, values
    return rows, padded

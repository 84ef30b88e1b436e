"""Who a user is to the evaluation: activity band, region, length of history."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

HEAD, TAIL, NEW = "head", "tail", "new"
OTHER_REGIONS, NO_REGION = "other regions", "no region"
SHOWN_REGIONS = 10
LENGTHS = 5
Groups = NDArray[np.str_]


def bands(users: Sequence[str], head: Collection[str]) -> Groups:
    """Head or tail of each user with a history, as the hour of the split selects the head."""
    return np.array([HEAD if user in head else TAIL for user in users], np.str_)


def regions(users: Sequence[str], region_of: Mapping[str, str | None], shown: int = SHOWN_REGIONS) -> Groups:
    """Region of each user; those beyond the `shown` largest are one group."""
    found = np.array([region_of.get(user) or NO_REGION for user in users], np.str_)
    names, counts = np.unique(found, return_counts=True)
    large = names[np.lexsort((names, -counts))][:shown]
    return np.where(np.isin(found, large), found, OTHER_REGIONS)


def lengths(sizes: NDArray[np.int64], parts: int = LENGTHS) -> tuple[NDArray[np.int64], list[str]]:
    """Quantile of each user's history length, int64 [users], and what to call each of them, shortest first."""
    bounds = np.unique(np.quantile(sizes, np.arange(1, parts) / parts, method="lower")) if len(sizes) else sizes
    part = np.searchsorted(bounds, sizes, side="left")
    names = [
        f"{sizes[part == place].min():,}–{sizes[part == place].max():,}" if (part == place).any() else "none"
        for place in range(len(bounds) + 1)
    ]
    return part, names

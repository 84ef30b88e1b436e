"""Popularity: the same list for everybody, by how many people touched an item."""

import numpy as np
from numpy.typing import NDArray

from models.peers.histories import DAY_SECONDS, Histories
from models.peers.peer import Recommender, lists_by_score

RECENT_DAYS = 90


def popularity(past: Histories) -> Recommender:
    """By all that happened."""
    return _of_counts(past.item_users())


def recent_popularity(past: Histories) -> Recommender:
    """By the last 90 days; what was touched before comes after, by its whole count."""
    recent, ever = past.item_users(past.end_at - RECENT_DAYS * DAY_SECONDS), past.item_users()
    return _of_counts(recent + ever / (ever.max(initial=0) + 1))


def _of_counts(counts: NDArray[np.int64] | NDArray[np.float64]) -> Recommender:
    scores = counts.astype(np.float32)
    return lists_by_score(lambda asked: np.tile(scores, (len(asked), 1)))

"""Personal frequency: what a person touched most often; simple, and strong wherever people repeat themselves."""

import numpy as np
from numpy.typing import NDArray

from models.peers.histories import Histories
from models.peers.peer import Recommender, lists_by_score


def personal_frequency(past: Histories) -> Recommender:
    """Own counts, ties by popularity, which also fills lists that are too short."""
    ever = past.item_users()
    ties = (ever / (ever.max(initial=0) + 1)).astype(np.float32)

    def scores(asked: Histories) -> NDArray[np.float32]:
        found: NDArray[np.float32] = asked.counts().toarray()
        return np.asarray(found + ties, np.float32)

    return lists_by_score(scores)

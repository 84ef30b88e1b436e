"""What a list for somebody with a handful of items is measured beside: popularity, item-kNN and ALS, folded in."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from contracts.features import ITEM_STATS
from models.candidate_bundle import CandidateBundle

Scores = NDArray[np.float64]
Score = Callable[[NDArray[np.int32]], Scores]
PURCHASE_WEIGHT = 8.0


def popularity(bundle: CandidateBundle, column: str) -> Score:
    """Events or users of each item, by one of the item statistics."""
    counts = np.nan_to_num(bundle.item_stats[:, ITEM_STATS.index(column)])
    return lambda _: counts


def item_neighbours(weights: csr_matrix, shrinkage: float) -> Score:
    """Sum of cosines between items over users, shrunk where few users have both."""
    by_user = weights.tocsr()
    by_item = weights.tocsc()
    lengths = np.sqrt(np.asarray(weights.power(2).sum(axis=0))).ravel()

    def score(rows: NDArray[np.int32]) -> Scores:
        together = (by_user.T @ by_item[:, rows]).toarray()
        return np.asarray((together / (np.outer(lengths, lengths[rows]) + shrinkage + 1e-9)).sum(axis=1), np.float64)

    return score


def folded_in(bundle: CandidateBundle) -> Score:
    """Product of each item's factors with the ridge solution for the known items."""

    def score(rows: NDArray[np.int32]) -> Scores:
        user = bundle.fold_in.solve_one(rows, np.full(len(rows), PURCHASE_WEIGHT, np.float32))
        return np.asarray(bundle.item_factors @ user, np.float64)

    return score


def best(scores: Scores, closed: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """The `count` best open rows, ties by row."""
    opened = scores.copy()
    opened[closed] = -np.inf
    return np.argsort(-opened, kind="stable")[:count]

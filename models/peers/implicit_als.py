"""ALS of the library implicit, as its users would set it up.

Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback Datasets (2008).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.blas import use_one_thread
from models.peers.histories import Histories
from models.peers.peer import Recommender, Scores, lists_by_score

FACTORS, SWEEPS, PENALTY, SEED = 64, 15, 10.0, 7
STRENGTH = 2.0  # implicit's alpha, on log(1 + count)


def implicit_als(past: Histories) -> Recommender:
    """Fit on logarithms of counts; people are folded in from the item factors."""
    return lists_by_score(als_scores(past))


def als_scores(past: Histories) -> Scores:
    """Scores of all items by the product of factors."""
    from implicit.cpu.als import AlternatingLeastSquares

    use_one_thread()  # implicit spreads rows over threads itself
    model = AlternatingLeastSquares(
        factors=FACTORS, alpha=STRENGTH, iterations=SWEEPS, regularization=PENALTY, random_state=SEED, num_threads=0
    )
    model.fit(_confidences(past), show_progress=False)

    def scores(asked: Histories) -> NDArray[np.float32]:
        weights = _confidences(asked)
        users = model.recalculate_user(np.arange(len(asked)), weights)
        return np.asarray(users @ model.item_factors.T, np.float32)

    return scores


def _confidences(histories: Histories) -> csr_matrix:
    counts = histories.counts()
    counts.data = np.log1p(counts.data)
    return counts

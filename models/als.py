"""Collaborative filtering by alternating least squares: item factors out of weights, and users folded into them.

Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback Datasets (2008). Only item factors leave this
module: implicit solves users before items in each sweep, so its user factors lag by half a sweep. Every user, in the
batch as on request, is solved here from item factors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from contracts.errors import BadInput
from models.blas import use_one_thread

WARM_SHARE = 3  # a warm start does a third of the sweeps
SAFETY_FACTOR = 3  # the matrix, its transpose and the copies that a fit makes
LEAST_RIDGE = 1e-6  # keeps a fold-in solvable where there are fewer items than factors and no penalty
COLD_SCALE = np.float32(0.01)  # of implicit's own random start


@dataclass(frozen=True, slots=True)
class AlsParameters:
    """What a fit depends on besides its data."""

    factors: int = 64
    iterations: int = 10
    regularization: float = 0.05
    seed: int = 7


def fit_implicit(
    weights: csr_matrix, parameters: AlsParameters, warm: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Fit item factors, float32 [items, factors], on users × items weights from 0 up.

    `warm` are item factors aligned to the columns: the fit starts there and does a third of the sweeps.
    The same weights and the same start give the same bytes on one kind of CPU.
    """
    from implicit.cpu.als import AlternatingLeastSquares

    use_one_thread()  # after the import, which loads a BLAS of its own; implicit spreads rows over threads itself
    confidence = _confidences(weights)
    if confidence.nnz == 0:  # nobody touched anything: no item is like another
        return np.zeros((confidence.shape[1], parameters.factors), np.float32)
    model = AlternatingLeastSquares(
        factors=parameters.factors,
        iterations=parameters.iterations if warm is None else max(1, parameters.iterations // WARM_SHARE),
        regularization=parameters.regularization,
        random_state=parameters.seed,
        num_threads=0,
    )
    if warm is not None:
        expected = (confidence.shape[1], parameters.factors)
        if warm.shape != expected:
            raise BadInput(f"warm factors have shape {warm.shape} and the fit takes {expected}; align them first")
        model.item_factors = warm.astype(np.float32)
        model.user_factors = model.recalculate_user(np.arange(confidence.shape[0]), confidence)
    model.fit(confidence, show_progress=False)
    return np.asarray(model.item_factors, np.float32)


def fold_in(item_factors: NDArray[np.float32], weights: csr_matrix, regularization: float) -> NDArray[np.float32]:
    """Solve user factors, float32 [users, factors], for rows of users × items weights.

    Exact ridge solution in float64, one user at a time, so that a batch and a single row give the same bytes.
    A user without weights gets zeros, which mean "no candidates from here", never a taste.
    """
    return FoldIn(item_factors, regularization).solve(weights)


class FoldIn:
    """Fold-in against fixed item factors; keeps their Gram matrix, which costs more than a user."""

    def __init__(self, item_factors: NDArray[np.float32], regularization: float) -> None:
        use_one_thread()
        self._items = item_factors
        wide = item_factors.astype(np.float64)
        self._base = wide.T @ wide + max(regularization, LEAST_RIDGE) * np.eye(item_factors.shape[1])

    def solve(self, weights: csr_matrix) -> NDArray[np.float32]:
        """User factors of each row of weights, float32 [rows, factors]."""
        out = np.zeros((weights.shape[0], self._items.shape[1]), np.float32)
        for user in range(weights.shape[0]):
            low, high = weights.indptr[user], weights.indptr[user + 1]
            if high > low:
                out[user] = self.solve_one(weights.indices[low:high], weights.data[low:high])
        return out

    def solve_one(self, rows: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Factors of one user, float32 [factors], from item rows and their weights; zeros without rows."""
        if len(rows) == 0:
            return np.zeros(self._items.shape[1], np.float32)
        own = self._items[rows].astype(np.float64)
        beyond_one = np.log1p(np.maximum(weights.astype(np.float64), 0.0))
        # A = YᵀY + Yᵤᵀ(C-1)Yᵤ + λI, b = YᵤᵀC, with the confidence C = 1 + log(1 + weight) of _confidences.
        system = self._base + (own * beyond_one[:, None]).T @ own
        return np.linalg.solve(system, (1.0 + beyond_one) @ own).astype(np.float32)


def align(warm: NDArray[np.float32], old_rows: NDArray[np.int32], parameters: AlsParameters) -> NDArray[np.float32]:
    """Carry factors over to new rows: `old_rows[i]` is where new row i stood before, -1 where it is new.

    New items start at small seeded noise, as a cold fit does.
    """
    noise = np.random.default_rng(parameters.seed).random((len(old_rows), warm.shape[1]), np.float32)
    carried = noise * COLD_SCALE
    known = old_rows >= 0
    carried[known] = warm[old_rows[known]]
    return carried.astype(np.float32, copy=False)


def estimate_bytes(users: int, items: int, interactions: int, factors: int) -> int:
    """About how much memory a fit on one machine takes: both factor matrices and the sparse copies."""
    dense = 4 * factors * (users + items)
    sparse = 8 * interactions + 4 * (users + items)
    return SAFETY_FACTOR * (dense + sparse)


def _confidences(weights: csr_matrix) -> csr_matrix:
    """1 + log(1 + weight) as float32 in sorted rows; BadInput when a weight is below zero or no number.

    Never below 1: an old event, its weight decayed to nearly nothing, still says more than none. The logarithm keeps
    a weekly purchase of years from drowning everything else (on Complete Journey +9 % NDCG@10 over the bare weight).
    """
    found = weights.astype(np.float32)
    if not np.all(np.isfinite(found.data)) or found.data.min(initial=0) < 0:
        raise BadInput("an interaction has a weight below zero or none at all; weights are numbers from 0 up")
    found.sum_duplicates()
    found.data = 1 + np.log1p(found.data)
    return found

"""Vectors for items that nobody touched yet, from their attributes, so that they can be retrieved."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, identity
from scipy.sparse.linalg import splu

from contracts.errors import BadInput

RIDGE = 5.0  # about so many items of a category draw its vector half-way from the mean of all
HIDDEN_EVERY, SEED = 5, 7  # of the known items, to judge with


def one_hot(codes: NDArray[np.int32]) -> csr_matrix:
    """One column a value and one row an item; a row without entry where the code is -1."""
    known = np.flatnonzero(codes >= 0)
    shape = (len(codes), int(codes.max(initial=-1)) + 1)
    return csr_matrix((np.ones(len(known)), (known, codes[known])), shape=shape)


def with_cold_vectors(
    item_factors: NDArray[np.float32], attributes: csr_matrix, ridge: float = RIDGE
) -> NDArray[np.float32]:
    """Item factors float32 [n, d] whose rows of zeros are replaced by what their attributes foretell.

    A ridge regression from attributes [n, a] to the factors of the other items, around their mean. Items without any
    attribute keep zeros, as all do where nothing is known of any item. With one-hot categories this is the mean of the
    category, drawn towards the mean of all where it has few items.
    """
    if attributes.shape[0] != len(item_factors):
        raise BadInput(f"attributes of {attributes.shape[0]} items came for {len(item_factors)}; give a row an item")
    warm = item_factors.any(axis=1)
    described = np.diff(attributes.indptr) > 0
    cold = ~warm & described
    taught = warm & described
    if not cold.any() or not taught.any():
        return item_factors
    known = attributes[np.flatnonzero(taught)].astype(np.float64)
    factors = item_factors[taught].astype(np.float64)
    middle = factors.mean(axis=0)
    system = (known.T @ known + ridge * identity(known.shape[1])).tocsc()
    weights = splu(system).solve(np.asarray(known.T @ (factors - middle)))
    filled = item_factors.copy()
    filled[cold] = middle + attributes[np.flatnonzero(cold)] @ weights
    return filled


def best_description(item_factors: NDArray[np.float32], columns: Mapping[str, NDArray[np.int32]], usual: str) -> str:
    """Which of the columns of codes [n] foretells factors best where they are hidden; `usual` unless one is better.

    A fifth of the items with factors is hidden, the same fifth every time, and foretold as `with_cold_vectors` does.
    """
    warm = np.random.default_rng(SEED).permutation(np.flatnonzero(item_factors.any(axis=1)))
    hidden, shown = np.split(warm, [len(warm) // HIDDEN_EVERY])
    if not len(hidden):
        return usual
    known = item_factors[shown].astype(np.float64)
    middle = known.mean(axis=0)
    truth = item_factors[hidden] - middle

    def error(name: str) -> float:
        codes = columns[name]
        shares = one_hot(codes)[shown]
        sums = np.asarray(shares.T @ (known - middle))
        counts = np.asarray(shares.sum(axis=0)).reshape(-1, 1)
        foretold = np.vstack([sums / (counts + RIDGE), np.zeros((1, sums.shape[1]))])  # the last answers for code -1
        return float(np.square(truth - foretold[codes[hidden]]).sum())

    return min((usual, *sorted(columns.keys() - {usual})), key=error)


def described_vectors(
    item_factors: NDArray[np.float32], codes: NDArray[np.int32], other_codes: NDArray[np.int32]
) -> NDArray[np.float32]:
    """`with_cold_vectors` by one column of codes [n], and by the other where an item has no code in the first."""
    vectors = with_cold_vectors(item_factors, one_hot(codes))
    left = (codes < 0) & (other_codes >= 0) & ~item_factors.any(axis=1)
    if not left.any():
        return vectors
    filled = vectors.copy()
    filled[left] = with_cold_vectors(item_factors, one_hot(other_codes))[left]
    return filled

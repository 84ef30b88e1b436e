"""Vectors for items that nobody touched yet, from their attributes, so that they can be retrieved."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, identity
from scipy.sparse.linalg import splu

from contracts.errors import BadInput

RIDGE = 5.0  # about so many items of a category draw its vector half-way from the mean of all


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

"""Factorisation and fold-in: known worlds, few items, no history, the same bytes twice."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from contracts.errors import BadInput
from models.als import AlsParameters, FoldIn, align, estimate_bytes, fit_implicit, fold_in

TWO_TASTES = csr_matrix(np.kron(np.eye(2), np.ones((20, 10))).astype(np.float32))  # users 0-19 like items 0-9, ...
SMALL = AlsParameters(factors=6, iterations=5)


def test_a_user_is_given_the_items_of_their_own_taste() -> None:
    factors = fit_implicit(TWO_TASTES, SMALL)
    user = fold_in(factors, csr_matrix(np.eye(1, 20, 3, dtype=np.float32)), SMALL.regularization)[0]
    assert set(np.argsort(-(factors @ user))[:10]) == set(range(10))


def test_the_same_fit_gives_the_same_bytes_cold_and_warm() -> None:
    cold = fit_implicit(TWO_TASTES, SMALL)
    assert cold.tobytes() == fit_implicit(TWO_TASTES, SMALL).tobytes()
    assert fit_implicit(TWO_TASTES, SMALL, cold).tobytes() == fit_implicit(TWO_TASTES, SMALL, cold.copy()).tobytes()


def test_a_warm_start_ends_near_a_long_cold_fit_and_leaves_its_start_alone() -> None:
    long = fit_implicit(TWO_TASTES, AlsParameters(factors=6, iterations=60))
    start = long.copy()
    warm = fit_implicit(TWO_TASTES, AlsParameters(factors=6, iterations=3), start)
    assert start.tobytes() == long.tobytes()
    np.testing.assert_allclose(warm @ warm.T, long @ long.T, atol=0.02)


def test_warm_factors_of_another_shape_are_refused() -> None:
    with pytest.raises(BadInput, match="align them first"):
        fit_implicit(TWO_TASTES, SMALL, np.zeros((19, 6), np.float32))


def test_fold_in_solves_the_ridge_equations_of_the_paper() -> None:
    items = np.array([[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]], np.float32)
    weights = np.array([3.0, 0.0, 5.0])
    confidence = 1 + np.log1p(weights)
    expected = np.linalg.solve(
        items.T @ np.diag(confidence) @ items + 0.1 * np.eye(2), items.T @ (confidence * (weights > 0))
    )
    found = fold_in(items, csr_matrix(weights.astype(np.float32)[None, :]), 0.1)
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


def test_fold_in_of_many_is_fold_in_of_each() -> None:
    random = np.random.default_rng(1)
    items = random.normal(0, 0.3, (50, 16)).astype(np.float32)
    weights = csr_matrix(random.integers(0, 4, (30, 50)) * (random.random((30, 50)) < 0.2), dtype=np.float32)
    together = fold_in(items, weights, 0.05)
    solver = FoldIn(items, 0.05)
    for user in range(30):
        row = weights[[user]]
        assert solver.solve_one(row.indices, row.data).tobytes() == together[user].tobytes()


def test_no_history_folds_in_to_nothing() -> None:
    factors = fit_implicit(TWO_TASTES, SMALL)
    assert not fold_in(factors, csr_matrix((3, 20), dtype=np.float32), 0.05).any()


@pytest.mark.parametrize("penalty", [0.0, 0.05])
def test_four_items_and_more_factors_than_items(penalty: float) -> None:
    shop = csr_matrix(np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0]], np.float32))
    factors = fit_implicit(shop, AlsParameters(factors=64, iterations=3, regularization=penalty))
    assert factors.shape == (4, 64)
    assert np.isfinite(fold_in(factors, shop, penalty)).all()
    assert not factors[3].any()  # nobody touched it: nothing is known of it


def test_no_interactions_at_all_give_factors_that_say_nothing() -> None:
    assert not fit_implicit(csr_matrix((0, 4), dtype=np.float32), SMALL).any()


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_what_is_no_confidence_is_refused(weight: float) -> None:
    with pytest.raises(BadInput, match="numbers from 0 up"):
        fit_implicit(csr_matrix(np.array([[1.0, weight]], np.float32)), SMALL)


def test_aligning_carries_known_items_and_starts_new_ones_small() -> None:
    warm = np.arange(6, dtype=np.float32).reshape(3, 2) + 1
    carried = align(warm, np.array([2, -1, 0], np.int32), SMALL)
    assert carried[[0, 2]].tolist() == [[5, 6], [1, 2]]
    assert carried.dtype == np.float32
    assert 0 < np.abs(carried[1]).max() <= 0.01
    assert carried.tobytes() == align(warm, np.array([2, -1, 0], np.int32), SMALL).tobytes()


def test_the_estimate_covers_the_arrays_that_a_fit_holds() -> None:
    assert estimate_bytes(1_000, 100, 50_000, 64) > 4 * 64 * 1_100 + 2 * 8 * 50_000

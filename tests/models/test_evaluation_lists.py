"""Novelty, diversity, popularity lift and calibration on numbers that can be checked by hand."""

import numpy as np
from pytest import approx
from scipy.sparse import csr_matrix

from models.evaluation_lists import ItemFacts, coverage, diversity, miscalibration, novelty, popularity_lift

# Items 0 and 1 are of category 0, item 2 of category 1, item 3 of none; 7 people, 7, 3, 1, 0 of whom touched them.
FACTS = ItemFacts(np.array([7, 3, 1, 0]), np.array([0, 0, 1, -1], np.int32), 7)


def lists(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int32)


def test_novelty_is_bits_of_surprise() -> None:
    assert novelty(lists([0, -1], [1, 2], [3, -1]), FACTS).tolist() == approx([0.0, 1.5, 3.0])
    assert np.isnan(novelty(lists([-1, -1]), FACTS)).all()


def test_diversity_is_the_share_of_pairs_of_different_categories() -> None:
    found = diversity(lists([0, 1, -1], [0, 1, 2], [0, 2, 3]), FACTS)
    assert found.tolist() == approx([0.0, 2 / 3, 1.0])
    assert np.isnan(diversity(lists([0, -1]), FACTS)).all()


def test_popularity_lift_is_zero_when_a_list_is_as_popular_as_the_history() -> None:
    history = csr_matrix(np.array([[0.0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    found = popularity_lift(lists([1, -1], [0, -1], [0, -1]), history, FACTS)
    assert found[:2].tolist() == approx([0.0, 6.0])
    assert np.isnan(found[2])  # of a history that nobody shares nothing can be said


def test_miscalibration_is_zero_for_the_history_s_own_shares_and_grows_with_the_distance() -> None:
    history = csr_matrix(np.array([[1.0, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 1]]))
    same, other, untold = miscalibration(lists([0, 2], [0, 1], [0, 2]), history, FACTS).tolist()
    assert same == approx(0.0, abs=1e-9)
    assert other == approx(0.5 * np.log(0.5 / (0.99 + 0.01 * 0.5)) + 0.5 * np.log(0.5 / 0.005), rel=1e-6)
    assert np.isnan(untold)


def test_coverage_counts_items_of_the_first_ten_once() -> None:
    assert coverage(lists([0, 1], [1, -1]), 4) == 0.5
    assert coverage(lists([0, *range(1, 10), 10]), 20) == 0.5

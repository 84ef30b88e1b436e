"""New items get vectors from their attributes; what is known stays as it was."""

import numpy as np
import pytest

from contracts.errors import BadInput
from models.item_vectors import best_description, described_vectors, one_hot, with_cold_vectors

CODES = np.array([0, 0, 0, 1, 1, 1, 0, 1, -1], np.int32)
FACTORS = np.array([[1, 0]] * 3 + [[0, 1]] * 3 + [[0, 0]] * 3, np.float32)


def test_a_new_item_is_the_mean_of_its_category_when_nothing_draws_it_elsewhere() -> None:
    filled = with_cold_vectors(FACTORS, one_hot(CODES), ridge=1e-9)
    np.testing.assert_allclose(filled[6:8], [[1, 0], [0, 1]], atol=1e-6)
    assert filled[:6].tobytes() == FACTORS[:6].tobytes()


def test_few_items_of_a_category_are_drawn_to_the_mean_of_all() -> None:
    filled = with_cold_vectors(FACTORS, one_hot(CODES), ridge=3.0)
    np.testing.assert_allclose(filled[6], [0.75, 0.25], atol=1e-6)


def test_an_item_without_attributes_stays_unknown() -> None:
    assert not with_cold_vectors(FACTORS, one_hot(CODES))[8].any()


@pytest.mark.parametrize("codes", [np.full(9, -1, np.int32), CODES])
def test_nothing_known_foretells_nothing(codes: np.ndarray) -> None:
    nothing = np.zeros_like(FACTORS)
    assert not with_cold_vectors(nothing, one_hot(codes)).any()


def test_attributes_of_other_items_are_refused() -> None:
    with pytest.raises(BadInput, match="attributes of 8 items came for 9"):
        with_cold_vectors(FACTORS, one_hot(CODES[1:]))


def test_the_attribute_that_foretells_hidden_items_best_is_chosen() -> None:
    random = np.random.default_rng(2)
    kinds = np.arange(300, dtype=np.int32) % 10
    factors = (np.eye(10)[kinds] + random.normal(0, 0.1, (300, 10))).astype(np.float32)
    columns = {
        "category": (kinds // 5).astype(np.int32),
        "kind": kinds,
        "noise": random.integers(0, 10, 300).astype(np.int32),
        "id": np.arange(300, dtype=np.int32),  # knows every shown item and no hidden one
        "rare": np.where(np.arange(300) < 20, kinds, -1).astype(np.int32),
    }
    assert best_description(factors, columns, "category") == "kind"
    worse = {name: columns[name] for name in ("category", "noise", "id", "rare")}
    assert best_description(factors, worse, "category") == "category"
    assert best_description(np.zeros_like(factors), columns, "category") == "category"
    assert best_description(factors, {"category": kinds, "same": kinds}, "same") == "same"


def test_where_an_item_lacks_the_better_attribute_its_category_speaks() -> None:
    finer = CODES.copy()
    finer[7] = -1
    filled = described_vectors(FACTORS, finer, np.where(CODES < 0, 1, CODES).astype(np.int32))
    np.testing.assert_array_equal(filled[6], with_cold_vectors(FACTORS, one_hot(CODES))[6])
    np.testing.assert_array_equal(filled[7:], with_cold_vectors(FACTORS, one_hot(np.maximum(CODES, -CODES)))[7:])
    assert filled[:6].tobytes() == FACTORS[:6].tobytes()

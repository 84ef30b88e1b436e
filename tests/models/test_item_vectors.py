"""New items get vectors from their attributes; what is known stays as it was."""

import numpy as np
import pytest

from contracts.errors import BadInput
from models.item_vectors import one_hot, with_cold_vectors

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

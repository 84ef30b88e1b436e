"""Sources become one set of candidates: in their order, without repetition, without what is closed, never short."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import BadInput
from models.candidate_merge import merge_sources

OPEN = np.zeros(10, bool)


def rows(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def test_sources_come_in_their_order_until_the_count_is_full() -> None:
    assert merge_sources((rows(9, 8), rows(8, 7, 6, 5)), (), OPEN, 4).tolist() == [6, 7, 8, 9]


def test_fillers_then_the_lowest_rows_make_up_what_is_missing() -> None:
    assert merge_sources((rows(9),), (rows(9, 4),), OPEN, 4).tolist() == [0, 1, 4, 9]


def test_what_is_closed_takes_no_place() -> None:
    closed = OPEN.copy()
    closed[[9, 0]] = True
    assert merge_sources((rows(9, 3),), (rows(9, 0, 8),), closed, 3).tolist() == [1, 3, 8]


def test_less_than_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="-1 candidates"):
        merge_sources((), (), OPEN, -1)


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=4),
    st.lists(st.booleans(), min_size=10, max_size=10),
    st.integers(0, 12),
)
def test_depth_is_never_lost(sources: list[list[int]], closed: list[bool], count: int) -> None:
    shut = np.array(closed)
    found = merge_sources([rows(*one) for one in sources], (), shut, count)
    assert len(set(found)) == len(found) == min(count, int((~shut).sum()))
    assert not shut[found].any()
    named = {row for one in sources for row in one if not shut[row]}
    assert len(named & set(found)) == min(count, len(named))

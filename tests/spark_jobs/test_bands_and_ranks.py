"""Bands by quantile, activity by sum, grades by doubling: the plain arithmetic of the hour."""

import numpy as np
import pyarrow as pa
import pytest

from contracts.lake import RANK, USER_ID, WEIGHT
from spark_jobs.build_segments import bands
from spark_jobs.cooccurrence import LEAST_ITEMS, MOST_ITEMS, PAIR_BUDGET, items_a_user
from spark_jobs.select_head import rank_by_activity

NAMES = ("low", "middle", "high")


def test_bands_hold_a_third_each() -> None:
    assert list(bands(np.array([6.0, 1, 5, 2, 4, 3]), NAMES)) == ["high", "low", "high", "low", "middle", "middle"]


def test_equal_values_share_a_band_and_missing_ones_are_lowest() -> None:
    assert set(bands(np.zeros(5), NAMES)) == {"low"}
    assert list(bands(np.array([np.nan, 7.0, 9.0]), NAMES)) == ["low", "middle", "high"]


def test_nobody_gives_no_bands() -> None:
    assert len(bands(np.zeros(0), NAMES)) == 0


def test_users_rank_by_summed_weight_and_ties_by_id() -> None:
    pairs = pa.table({USER_ID: ["z", "b", "a", "b"], WEIGHT: pa.array([9, 2, 5, 3], pa.int64())})
    ranked = rank_by_activity(pairs, USER_ID)
    assert list(zip(ranked[USER_ID].to_pylist(), ranked[RANK].to_pylist(), strict=True)) == [
        ("z", 1),
        ("a", 2),
        ("b", 3),
    ]


@pytest.mark.parametrize("users", [1, 2_000, 200_000, 10_000_000])
def test_the_pairs_of_all_users_stay_within_the_budget_or_its_floor(users: int) -> None:
    items = items_a_user(users)
    assert LEAST_ITEMS <= items <= MOST_ITEMS
    assert items == LEAST_ITEMS or users * items * items / 2 <= PAIR_BUDGET

"""Metrics: values worked out by hand, and laws that hold for any list."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation import catalogue_coverage, hit_rate_at_k, ndcg_at_k, recall_at_k, reciprocal_rank

ITEMS = st.sampled_from("abcdefgh")
LISTS = st.lists(ITEMS, max_size=12)
TRUTHS = st.sets(ITEMS)
K = st.integers(1, 12)
PER_USER = (ndcg_at_k, recall_at_k, hit_rate_at_k, reciprocal_rank)


def test_values_worked_out_by_hand() -> None:
    lists, truths = [["a", "b", "c", "d"]], [{"b", "d", "z"}]
    gain, ideal = 1 / np.log2(3) + 1 / np.log2(5), 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert ndcg_at_k(lists, truths, 4)[0] == pytest.approx(gain / ideal)
    assert ndcg_at_k(lists, truths, 2)[0] == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)))
    assert recall_at_k(lists, truths, 4)[0] == pytest.approx(2 / 3)
    assert recall_at_k(lists, truths, 1)[0] == 0
    assert hit_rate_at_k(lists, truths, 1)[0] == 0
    assert hit_rate_at_k(lists, truths, 2)[0] == 1
    assert reciprocal_rank(lists, truths, 4)[0] == 0.5
    assert catalogue_coverage([["a", "b"], ["b", "c"]], 10, 2) == pytest.approx(0.3)


def test_users_are_measured_apart_and_those_without_truth_count_nothing() -> None:
    assert ndcg_at_k([["a"], ["a"], []], [["a"], [], ["a"]]).tolist() == [1, 0, 0]
    assert [len(metric([], [])) for metric in PER_USER] == [0, 0, 0, 0]


def test_an_item_twice_in_a_list_is_one_hit() -> None:
    assert recall_at_k([["a", "a"]], [{"a", "b"}], 2)[0] == 0.5
    assert ndcg_at_k([["a", "a"]], [{"a"}], 2)[0] == 1


@given(LISTS, TRUTHS, K)
def test_every_metric_lies_between_nought_and_one(one: list[str], truth: set[str], k: int) -> None:
    for metric in PER_USER:
        assert 0 <= metric([one], [truth], k)[0] <= 1 + 1e-12


@given(TRUTHS, K)
def test_a_list_that_begins_with_the_truth_is_perfect(truth: set[str], k: int) -> None:
    best = [*sorted(truth), "x", "y"]
    perfect = float(bool(truth))
    assert ndcg_at_k([best], [truth], k)[0] == pytest.approx(perfect)
    assert reciprocal_rank([best], [truth], k)[0] == perfect
    assert recall_at_k([best], [truth], k)[0] == pytest.approx(min(k, len(truth)) / max(len(truth), 1))


@given(LISTS, TRUTHS, K)
def test_recall_and_hits_never_fall_as_the_list_grows(one: list[str], truth: set[str], k: int) -> None:
    for metric in (recall_at_k, hit_rate_at_k, reciprocal_rank):
        assert metric([one], [truth], k)[0] <= metric([one], [truth], k + 1)[0]


@given(st.lists(ITEMS, max_size=8, unique=True), TRUTHS, st.integers(0, 6))
def test_moving_a_hit_up_never_costs_ndcg(one: list[str], truth: set[str], place: int) -> None:
    if place + 1 < len(one) and one[place + 1] in truth:
        swapped = [*one[:place], one[place + 1], one[place], *one[place + 2 :]]
        assert ndcg_at_k([swapped], [truth])[0] >= ndcg_at_k([one], [truth])[0]

"""The gate refuses what is worse, shuffled or not a number, and lets equals pass."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.errors import GateRefused
from models.gate import POPULARITY, GateSet, grouped_ndcg, paired_interval, pass_gate
from models.ranker import RankerParameters, train_ranker
from models.scorers import BoosterScorer

SMALL = RankerParameters(trees=5, leaves=7, least_rows_a_leaf=5)


def noisy(gate_set: GateSet, noise: float, seed: int) -> np.ndarray:
    return gate_set.labels + np.random.default_rng(seed).normal(0, noise, len(gate_set.labels))


def test_better_than_before_passes_and_says_by_how_much(examples: GateSet) -> None:
    figures = pass_gate(examples, lambda _: noisy(examples, 0.2, 1), lambda _: noisy(examples, 1.5, 2))
    assert figures.ndcg > figures.ndcg_previous > 0
    assert 0 < figures.difference_low < figures.ndcg - figures.ndcg_previous < figures.difference_high
    assert figures.as_figures()["users"] == figures.users == len(examples.group_sizes) - _without_positive(examples)


def test_worse_than_before_is_refused(examples: GateSet) -> None:
    with pytest.raises(GateRefused, match="below the previous ranker's"):
        pass_gate(examples, lambda _: noisy(examples, 0.8, 1), lambda _: noisy(examples, 0.2, 2))


def test_the_very_same_ranker_passes(examples: GateSet, reference: BoosterScorer) -> None:
    figures = pass_gate(examples, reference.score, reference.score)
    assert (figures.difference_low, figures.difference_high) == (0.0, 0.0)


def test_equals_whose_users_differ_by_chance_pass_95_times_of_100() -> None:
    intervals = [paired_interval(np.random.default_rng(seed).normal(0, 0.1, 400)) for seed in range(100)]
    assert sum(high >= 0 for _, high in intervals) >= 95


def test_trained_on_shuffled_labels_is_refused(examples: GateSet, reference: BoosterScorer) -> None:
    shuffled = np.random.default_rng(4).permutation(examples.labels)
    booster = train_ranker(examples.features, shuffled, examples.group_sizes, SMALL)
    with pytest.raises(GateRefused):
        pass_gate(examples, BoosterScorer(str(booster.model_to_string())).score, reference.score)


def test_below_popularity_is_refused_even_as_the_first() -> None:
    features = np.zeros((20, 1 + POPULARITY), np.float32)
    features[:, POPULARITY] = np.arange(20)
    gate_set = GateSet(features, (np.arange(20) % 10 == 9).astype(np.int32), np.array([10, 10], np.int32))
    with pytest.raises(GateRefused, match=r"below popularity's 1\.0"):
        pass_gate(gate_set, lambda rows: -rows[:, -1].astype(np.float64), None)


@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(examples: GateSet, strange: float) -> None:
    def score(rows: np.ndarray) -> np.ndarray:
        scores = np.zeros(len(rows))
        scores[7] = strange
        return scores

    with pytest.raises(GateRefused, match="1 scores that are no numbers"):
        pass_gate(examples, score, None)


def test_a_window_in_which_nothing_came_true_proves_nothing(examples: GateSet) -> None:
    empty = replace(examples, labels=np.zeros_like(examples.labels))
    with pytest.raises(GateRefused, match="nothing can be compared"):
        pass_gate(empty, lambda rows: np.zeros(len(rows)), None)


def test_ndcg_of_groups_by_hand() -> None:
    labels = np.array([0, 1, 0, 0, 0, 2, 1], np.int32)
    gate_set = GateSet(np.zeros((7, 1), np.float32), labels, np.array([3, 2, 2], np.int32))
    found = grouped_ndcg(np.array([3.0, 2.0, 1.0, 0.0, 0.0, 5.0, 4.0]), gate_set)
    assert found.tolist() == pytest.approx([1 / np.log2(3), 1.0])  # the second user took nothing and is left out


def _without_positive(gate_set: GateSet) -> int:
    starts = np.cumsum(gate_set.group_sizes) - gate_set.group_sizes
    return int((np.add.reduceat(gate_set.labels, starts) == 0).sum())

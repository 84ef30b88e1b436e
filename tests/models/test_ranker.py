"""Training: the same bytes twice, and refusals that say why."""

import numpy as np
import pytest

from contracts.errors import BadInput
from models.gate import GateSet, grouped_ndcg
from models.ranker import RankerParameters, train_ranker
from models.scorers import BoosterScorer

SMALL = RankerParameters(trees=5, leaves=7, least_rows_a_leaf=5)


def trained(examples: GateSet, labels: np.ndarray) -> str:
    return str(train_ranker(examples.features, labels, examples.group_sizes, SMALL).model_to_string())


def test_the_same_rows_give_the_same_model_text(examples: GateSet) -> None:
    assert trained(examples, examples.labels) == trained(examples, examples.labels)


def test_it_ranks_what_was_taken_above_what_was_not(examples: GateSet, reference: BoosterScorer) -> None:
    random = np.random.default_rng(1).random(len(examples.labels))
    learned = grouped_ndcg(reference.score(examples.features), examples).mean()
    assert learned > 2 * grouped_ndcg(random, examples).mean()


def test_no_positive_label_is_refused(examples: GateSet) -> None:
    with pytest.raises(BadInput, match="no positive label"):
        trained(examples, np.zeros_like(examples.labels))


def test_groups_that_do_not_cover_the_rows_are_refused(examples: GateSet) -> None:
    with pytest.raises(BadInput, match="groups of the ranker sum"):
        train_ranker(examples.features, examples.labels, examples.group_sizes[1:], SMALL)

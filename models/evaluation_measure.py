"""Lists of every method held against what came after the split: one result a mode."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models import evaluation, evaluation_lists
from models.evaluation_groups import Groups
from models.evaluation_intervals import Estimate, estimate, paired_difference
from models.evaluation_lists import ItemFacts
from models.evaluation_report import (
    DIVERSITY,
    HIT,
    LIFT,
    MISCALIBRATION,
    MRR,
    NDCG,
    NOVELTY,
    OURS,
    RECALL,
    MethodResult,
    ModeResult,
)

Lists = NDArray[np.int32]
Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Question:
    """n users of one mode: what each touched after the split, and before it, and who they are.

    `truths` are sets of item rows, none empty; `history` users × items counts; `groups` names a group of each user by
    kind of group, with the groups' order in `group_names`.
    """

    mode: str
    truths: list[frozenset[int]]
    history: csr_matrix
    groups: Mapping[str, Groups]
    group_names: Mapping[str, list[str]]


def measure(question: Question, lists: Mapping[str, Lists], facts: ItemFacts) -> ModeResult:
    """Results of all methods, ours first, in the order of `lists`."""
    values = {name: _values(question, rows, facts) for name, rows in lists.items()}
    names = sorted(values, key=lambda name: name != OURS)
    methods = tuple(_result(question, name, values, lists[name]) for name in names)
    sizes = {
        kind: {name: int(np.count_nonzero(question.groups[kind] == name)) for name in order}
        for kind, order in question.group_names.items()
    }
    return ModeResult(question.mode, len(question.truths), methods, sizes)


def _values(question: Question, rows: Lists, facts: ItemFacts) -> Values:
    shown = [[row for row in one if row >= 0] for one in rows.tolist()]
    truths = question.truths
    return {
        NDCG: evaluation.ndcg_at_k(shown, truths),
        RECALL: evaluation.recall_at_k(shown, truths),
        MRR: evaluation.reciprocal_rank(shown, truths),
        HIT: evaluation.hit_rate_at_k(shown, truths),
        NOVELTY: evaluation_lists.novelty(rows, facts),
        DIVERSITY: evaluation_lists.diversity(rows, facts),
        LIFT: evaluation_lists.popularity_lift(rows, question.history, facts),
        MISCALIBRATION: evaluation_lists.miscalibration(rows, question.history, facts),
    }


def _result(question: Question, name: str, values: Mapping[str, Values], rows: Lists) -> MethodResult:
    mine = values[name]
    ahead: dict[str, Estimate] = {}
    if name != OURS and OURS in values:
        ahead = {metric: paired_difference(values[OURS][metric], mine[metric]) for metric in (NDCG, RECALL)}
    groups = {
        kind: {group: estimate(mine[NDCG][question.groups[kind] == group]) for group in order}
        for kind, order in question.group_names.items()
    }
    metrics = {metric: estimate(found) for metric, found in mine.items()}
    return MethodResult(name, metrics, evaluation_lists.coverage(rows, question.history.shape[1]), ahead, groups)

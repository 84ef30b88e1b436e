"""What lists are like besides right: novelty, diversity, popularity and categories; one number a user.

Item rows int32 [users, k], -1 where a list has no more; NaN for a user of whom a measure says nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

K = 10
SMOOTHING = 0.01  # of a list's categories by the history's, so that one without a category is no infinite distance

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """Of m items before the split: people who touched each, int64 [m], and category codes int32 [m], -1 unknown."""

    people: NDArray[np.int64]
    category_codes: NDArray[np.int32]
    user_count: int


def novelty(lists: NDArray[np.int32], facts: ItemFacts) -> Values:
    """Mean bits of surprise: -log2 of the share of people who touched an item.

    Vargas and Castells, Rank and Relevance in Novelty and Diversity Metrics (2011); one is added to each count.
    """
    bits = -np.log2((facts.people + 1) / (facts.user_count + 1))
    return _means(lists[:, :K], np.append(bits, np.nan))


def diversity(lists: NDArray[np.int32], facts: ItemFacts) -> Values:
    """Share of the pairs of a list that are of different categories; items without one differ from all."""
    codes = _codes(lists[:, :K], facts)
    there = (lists[:, :K] >= 0).sum(axis=1)
    same = np.zeros(len(lists))
    for place in range(1, codes.shape[1]):
        equal = (codes[:, place:] == codes[:, :-place]) & (codes[:, place:] >= 0)
        same += equal.sum(axis=1)
    pairs = there * (there - 1) / 2
    return np.where(pairs > 0, 1.0 - same / np.maximum(pairs, 1), np.nan)


def popularity_lift(lists: NDArray[np.int32], history: csr_matrix, facts: ItemFacts) -> Values:
    """How much more popular a list is than what its person touches: ratio of mean popularities, less one.

    Abdollahpouri et al., The Unfairness of Popularity Bias in Recommendation (2019), a user at a time.
    """
    people = facts.people.astype(np.float64)
    own = (history @ people) / np.maximum(np.asarray(history.sum(axis=1)).ravel(), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(own > 0, _means(lists[:, :K], np.append(people, np.nan)) / own - 1.0, np.nan)


def miscalibration(lists: NDArray[np.int32], history: csr_matrix, facts: ItemFacts) -> Values:
    """Kullback-Leibler distance of a list's categories from those of the history; 0 is calibrated.

    Steck, Calibrated Recommendations (2018).
    """
    count = int(facts.category_codes.max(initial=-1)) + 1
    known = np.flatnonzero(facts.category_codes >= 0)
    of_item = csr_matrix(
        (np.ones(len(known)), (known, facts.category_codes[known])), shape=(len(facts.category_codes), count)
    )
    wanted = np.asarray((history @ of_item).todense())
    codes = _codes(lists[:, :K], facts)
    users, places = np.nonzero(codes >= 0)
    given = np.zeros((len(lists), count))
    np.add.at(given, (users, codes[users, places]), 1.0)
    told = (wanted.sum(axis=1) > 0) & (given.sum(axis=1) > 0)
    wanted, given = _shares(wanted), _shares(given)
    mixed = (1 - SMOOTHING) * given + SMOOTHING * wanted
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(wanted > 0, wanted * np.log(wanted / mixed), 0.0)
    return np.where(told, parts.sum(axis=1), np.nan)


def coverage(lists: NDArray[np.int32], item_count: int) -> float:
    """Share of all items that stand in anybody's first ten."""
    shown = lists[:, :K]
    return len(np.unique(shown[shown >= 0])) / max(item_count, 1)


def _codes(lists: NDArray[np.int32], facts: ItemFacts) -> NDArray[np.int32]:
    return np.append(facts.category_codes, np.int32(-1))[lists]  # place -1 is the one appended


def _means(lists: NDArray[np.int32], values: Values) -> Values:
    found = values[lists]  # place -1 is the NaN at the end
    there = np.isfinite(found)
    count = there.sum(axis=1)
    return np.where(count > 0, np.where(there, found, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _shares(counts: Values) -> Values:
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12), np.float64)

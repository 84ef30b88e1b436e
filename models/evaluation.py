"""Ranking metrics over lists and ground truth; one number a user, so that users can be paired.

Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques (2002), with binary gain.
"""

from collections.abc import Collection, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Lists = Sequence[Sequence[Hashable]]  # ids or rows, the same in lists and truths
Truths = Sequence[Collection[Hashable]]


def ndcg_at_k(lists: Lists, truths: Truths, k: int = 10) -> NDArray[np.float64]:
    """NDCG@k of each user, float64 [users]; a user without ground truth counts 0."""
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[1.0], np.cumsum(discounts)])  # the first place only keeps users without truth from 0 / 0
    gains = _hits(lists, truths, k) @ discounts
    return np.asarray(gains / ideal[_sizes(truths, k)], np.float64)


def recall_at_k(lists: Lists, truths: Truths, k: int = 20) -> NDArray[np.float64]:
    """Share of each user's ground truth among the first k, float64 [users]."""
    return np.asarray(_hits(lists, truths, k).sum(axis=1) / np.maximum(_sizes(truths, None), 1), np.float64)


def hit_rate_at_k(lists: Lists, truths: Truths, k: int = 10) -> NDArray[np.float64]:
    """1 for each user with at least one hit among the first k, float64 [users]."""
    return np.asarray(_hits(lists, truths, k).any(axis=1), np.float64)


def reciprocal_rank(lists: Lists, truths: Truths, k: int = 20) -> NDArray[np.float64]:
    """1 / place of the first hit among the first k, 0 without one, float64 [users]; its mean is MRR@k."""
    hits = _hits(lists, truths, k)
    return np.asarray(np.where(hits.any(axis=1), 1.0 / (1 + np.argmax(hits, axis=1)), 0.0), np.float64)


def catalogue_coverage(lists: Lists, item_count: int, k: int = 10) -> float:
    """Share of the catalogue that stands in anybody's first k."""
    return len({item for one in lists for item in one[:k]}) / max(item_count, 1)


def _hits(lists: Lists, truths: Truths, k: int) -> NDArray[np.float64]:
    hits = np.zeros((len(lists), k))
    for user, (one, truth) in enumerate(zip(lists, truths, strict=True)):
        wanted = truth if isinstance(truth, set | frozenset) else set(truth)
        seen: set[Hashable] = set()  # an item twice in a list is one hit
        for place, item in enumerate(one[:k]):
            hits[user, place] = item in wanted and item not in seen
            seen.add(item)
    return hits


def _sizes(truths: Truths, most: int | None) -> NDArray[np.int64]:
    sizes = np.array([len(set(truth)) for truth in truths], np.int64)
    return sizes if most is None else np.minimum(sizes, most)

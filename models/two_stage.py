"""`recommend`: the one function behind the batch, a request, the evaluation and the benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.candidate_bundle import CandidateBundle
from models.candidates import gather
from models.feature_matrix import feature_matrix
from models.ranker import RankerBundle
from models.scorers import Scorer, make_scorer
from models.user_state import Ranked, Request


@dataclass(frozen=True, slots=True)
class Bundle:
    """Both stages, loaded."""

    candidates: CandidateBundle
    scorer: Scorer
    candidate_count: int


@dataclass(frozen=True, slots=True)
class CandidateFeatures:
    """One request's candidates: item rows int32 [n] ascending and their features float32 [n, F]."""

    rows: NDArray[np.int32]
    features: NDArray[np.float32]


def load_bundle(candidates: Path, ranker: Path, cache: Path, candidate_count: int) -> Bundle:
    """Load both bundles after checking their digests; `cache` keeps compiled rankers."""
    return Bundle(CandidateBundle.load(candidates), make_scorer(RankerBundle.load(ranker), cache), candidate_count)


def candidate_features(
    candidates: CandidateBundle, requests: Sequence[Request], candidate_count: int
) -> list[CandidateFeatures]:
    """First stage and features of each request; training sets are made of this, so nothing can drift."""
    gathered = [gather(candidates, request, candidate_count) for request in requests]
    return [
        CandidateFeatures(found.rows, feature_matrix(candidates, request, found))
        for request, found in zip(requests, gathered, strict=True)
    ]


def recommend(bundle: Bundle, requests: Sequence[Request], k: int) -> list[Ranked]:
    """The k best items of each request, best first, ties by row; fewer only when no more are allowed.

    A batch gives each request exactly what it gets alone: trees score row by row.
    """
    found = candidate_features(bundle.candidates, requests, bundle.candidate_count)
    if not found:
        return []
    scores = bundle.scorer.score(np.concatenate([one.features for one in found]))
    ends = np.cumsum([len(one.rows) for one in found])
    return [
        _top(bundle.candidates, one.rows, part.astype(np.float32), k)
        for one, part in zip(found, np.split(scores, ends[:-1]), strict=True)
    ]


def _top(candidates: CandidateBundle, rows: NDArray[np.int32], scores: NDArray[np.float32], k: int) -> Ranked:
    order = np.lexsort((rows, -scores))[:k]
    return Ranked(tuple(candidates.items.external_ids[row] for row in rows[order]), scores[order])

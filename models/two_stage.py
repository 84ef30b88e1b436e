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
    return [_candidate_features(candidates, request, candidate_count) for request in requests]


def recommend(bundle: Bundle, requests: Sequence[Request], k: int) -> list[Ranked]:
    """The k best items of each request, best first, ties by row; fewer only when no more are allowed.

    A batch gives each request exactly what it gets alone: requests are worked on one by one, so that a request's
    rows stay in the processor's cache and no product is shared.
    """
    count = max(bundle.candidate_count, k)
    return [_recommend_one(bundle, request, count, k) for request in requests]


def _candidate_features(candidates: CandidateBundle, request: Request, count: int) -> CandidateFeatures:
    found = gather(candidates, request, count)
    return CandidateFeatures(found.rows, feature_matrix(candidates, request, found))


def _recommend_one(bundle: Bundle, request: Request, count: int, k: int) -> Ranked:
    found = _candidate_features(bundle.candidates, request, count)
    if not len(found.rows):
        return Ranked((), np.zeros(0, np.float32))
    return _top(bundle.candidates, found.rows, bundle.scorer.score(found.features).astype(np.float32), k)


def _top(candidates: CandidateBundle, rows: NDArray[np.int32], scores: NDArray[np.float32], k: int) -> Ranked:
    order = np.lexsort((rows, -scores))[:k]
    return Ranked(tuple(candidates.items.external_ids[row] for row in rows[order]), scores[order])

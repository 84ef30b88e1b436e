"""`recommend`: the one function behind the batch, a request, the evaluation and the benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.serving_model import ServingModel
from contracts.settings import Layout
from models.candidate_bundle import CandidateBundle
from models.candidates import gather
from models.feature_matrix import feature_matrix
from models.ranker import RankerBundle
from models.scorers import Scorer, make_scorer
from models.session_model import SessionModel
from models.session_stage import NextItems, SessionStage
from models.user_state import Ranked, Request

SESSION_SHARE = 0.3  # of the candidates, at most, that a live session may bring


@dataclass(frozen=True, slots=True)
class Bundle:
    """Both stages, loaded.

    Without a session model a live session brings no candidates of its own; without a `session_scorer` people in a
    session are scored like all others.
    """

    candidates: CandidateBundle
    scorer: Scorer
    candidate_count: int
    session: SessionStage | None = None
    session_scorer: Scorer | None = None

    def scorer_of(self, request: Request) -> Scorer:
        """Who scores a request's candidates."""
        return self.session_scorer if self.session_scorer and request.session.item_ids else self.scorer


@dataclass(frozen=True, slots=True)
class CandidateFeatures:
    """One request's candidates: item rows int32 [n] ascending and their features float32 [n, F]."""

    rows: NDArray[np.int32]
    features: NDArray[np.float32]


def load_bundle(
    candidates: Path, ranker: Path, cache: Path, candidate_count: int, session: Path | None = None
) -> Bundle:
    """Load all bundles after checking their digests; `cache` keeps compiled trees."""
    loaded, trees = CandidateBundle.load(candidates), RankerBundle.load(ranker)
    of_session = trees.of_session()
    return Bundle(
        loaded,
        make_scorer(trees, cache),
        candidate_count,
        load_session_stage(loaded, session, cache),
        make_scorer(of_session, cache) if of_session else None,
    )


def load_serving(layout: Layout, model: ServingModel, candidate_count: int) -> Bundle:
    """Load the bundles that answer for an hour."""
    folders = model.candidates_folder(layout), model.ranker_folder(layout)
    return load_bundle(*folders, layout.cache, candidate_count, model.session_folder(layout))


def load_session_stage(candidates: CandidateBundle, session: Path | None, cache: Path) -> SessionStage | None:
    """Load a session model beside loaded candidates; nothing without one."""
    if session is None:
        return None
    model = SessionModel.load(session)
    return SessionStage.beside(candidates.items, model, make_scorer(model, cache))


def candidate_features(
    candidates: CandidateBundle,
    requests: Sequence[Request],
    candidate_count: int,
    session: SessionStage | None = None,
) -> list[CandidateFeatures]:
    """First stage and features of each request; training sets are made of this, so nothing can drift."""
    return [_candidate_features(candidates, session, request, candidate_count) for request in requests]


def recommend(bundle: Bundle, requests: Sequence[Request], k: int) -> list[Ranked]:
    """The k best items of each request, best first, ties by row; fewer only when no more are allowed.

    A batch gives each request exactly what it gets alone: requests are worked on one by one, so that a request's
    rows stay in the processor's cache and no product is shared.
    """
    count = max(bundle.candidate_count, k)
    return [_recommend_one(bundle, request, count, k) for request in requests]


def _candidate_features(
    candidates: CandidateBundle, session: SessionStage | None, request: Request, count: int
) -> CandidateFeatures:
    coming = NextItems()
    if session is not None and request.session.item_ids:
        coming = session.next_items(request.session, int(count * SESSION_SHARE))
    found = gather(candidates, request, count, more=(coming.rows,))
    return CandidateFeatures(found.rows, feature_matrix(candidates, request, found, coming))


def _recommend_one(bundle: Bundle, request: Request, count: int, k: int) -> Ranked:
    found = _candidate_features(bundle.candidates, bundle.session, request, count)
    if not len(found.rows):
        return Ranked((), np.zeros(0, np.float32))
    return _top(bundle.candidates, found.rows, bundle.scorer_of(request).score(found.features).astype(np.float32), k)


def _top(candidates: CandidateBundle, rows: NDArray[np.int32], scores: NDArray[np.float32], k: int) -> Ranked:
    order = np.lexsort((rows, -scores))[:k]
    return Ranked(tuple(candidates.items.external_ids[row] for row in rows[order]), scores[order])

"""A live session reaches the answer through both stages, the same in a batch and alone, on disk and in memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.candidate_bundle import CandidateBundle
from models.ranker import RankerBundle
from models.scorers import BoosterScorer, CompiledScorer
from models.session_model import SessionModel
from models.session_stage import SessionStage
from models.session_training import SessionParameters, fit_session_model
from models.sessions import Sessions
from models.two_stage import Bundle, candidate_features, load_bundle, recommend
from models.user_state import LiveSession, Request
from tests.models.small_world import AS_OF, TASTES, draw_requests

KNOWN = (*(f"i{number:04d}" for number in range(100, 300)), "only-in-sessions")


@pytest.fixture(scope="module")
def session_model() -> SessionModel:
    """Steps of one taste through the last 200 items of the world, as 400 people took them."""
    random = np.random.default_rng(3)
    starts, steps = random.integers(0, 180, 400), random.integers(2, 5, 400)
    clicks = [start + TASTES * step for start, count in zip(starts, steps, strict=True) for step in range(count)]
    codes = np.repeat(np.arange(400), steps)
    rows = np.minimum(clicks, 200).astype(np.int32)
    sessions = Sessions.of_clicks(codes, rows, codes * 1_000 + np.arange(len(rows)))
    small = SessionParameters(trees=10, leaves=7, least_rows_a_leaf=5)
    return replace(fit_session_model(sessions, len(KNOWN), small), item_ids=KNOWN)


@pytest.fixture(scope="module")
def stages(bundle: CandidateBundle, compiled: CompiledScorer, session_model: SessionModel) -> Bundle:
    stage = SessionStage.beside(bundle.items, session_model, BoosterScorer(session_model.model_text))
    return Bundle(bundle, compiled, 60, stage)


def session_of(*item_ids: str) -> LiveSession:
    count = len(item_ids)
    return LiveSession(item_ids, ("click",) * count, AS_OF - 10 * np.arange(count, 0, -1), np.full(count, np.nan))


def in_session(requests: list[Request]) -> list[Request]:
    random = np.random.default_rng(4)
    sessions = [session_of(*map(str, random.choice([*KNOWN, "gone"], random.integers(0, 8)))) for _ in requests]
    return [replace(request, session=session) for request, session in zip(requests, sessions, strict=True)]


def test_what_follows_in_sessions_comes_into_the_candidates(stages: Bundle) -> None:
    (found,) = candidate_features(
        stages.candidates, [Request("u", AS_OF, session=session_of("i0150"))], 60, stages.session
    )
    (bare,) = candidate_features(stages.candidates, [Request("u", AS_OF)], 60)
    assert stages.candidates.items.rows(["i0155"])[0] in found.rows
    assert not np.array_equal(found.rows, bare.rows)


def test_items_that_only_the_session_model_knows_are_never_candidates(stages: Bundle) -> None:
    assert stages.session is not None
    coming = stages.session.next_items(session_of("i0275", "i0280"), 300)
    assert len(coming.rows) == len(coming.scores)
    assert 0 <= coming.rows.min() <= coming.rows.max() < 300
    assert len(stages.session.next_items(session_of("gone", "i0001"), 300).rows) == 0


def test_a_batch_of_sessions_gives_each_what_it_gets_alone(stages: Bundle) -> None:
    requests = in_session(draw_requests(stages.candidates, 100))
    together = recommend(stages, requests, 20)
    for request, ranked in zip(reversed(requests), reversed(together), strict=True):
        (alone,) = recommend(stages, [request], 20)
        assert alone.item_ids == ranked.item_ids
        assert alone.scores.tobytes() == ranked.scores.tobytes()


def test_nothing_excluded_comes_back_through_the_session(stages: Bundle) -> None:
    for request in in_session(draw_requests(stages.candidates, 60)):
        (ranked,) = recommend(stages, [request], 20)
        assert not request.excluded & set(ranked.item_ids)
        assert request.allowed is None or set(ranked.item_ids) <= request.allowed


def test_the_same_from_disk_as_from_memory(
    stages: Bundle, ranker: RankerBundle, session_model: SessionModel, cache: Path, tmp_path: Path
) -> None:
    stages.candidates.save(tmp_path / "candidates", {})
    ranker.save(tmp_path / "ranker")
    session_model.save(tmp_path / "session")
    loaded = load_bundle(tmp_path / "candidates", tmp_path / "ranker", cache, 60, tmp_path / "session")
    requests = in_session(draw_requests(stages.candidates, 20))
    for ours, theirs in zip(recommend(stages, requests, 10), recommend(loaded, requests, 10), strict=True):
        assert ours.item_ids == theirs.item_ids


def test_the_item_on_the_screen_stays_out_unless_the_caller_names_it(stages: Bundle) -> None:
    everything = stages.candidates.items.external_ids
    for allowed in (None, frozenset(everything)):
        request = Request("u", AS_OF, session=session_of("i0150", "i0160"), allowed=allowed)
        (ranked,) = recommend(stages, [request], 300)
        assert ("i0160" in ranked.item_ids) == (allowed is not None)
        assert "i0150" in ranked.item_ids


def test_people_in_a_session_are_scored_by_trees_of_their_own(stages: Bundle, reference: BoosterScorer) -> None:
    class Backwards:
        def score(self, features: np.ndarray) -> np.ndarray:
            return -reference.score(features)

    live = replace(stages, session_scorer=Backwards())
    for session, first in ((session_of(), 1), (session_of("i0150"), -1)):
        request = Request("u", AS_OF, session=session)
        (usual,), (found,) = (recommend(one, [request], 60) for one in (stages, live))
        assert found.scores.tolist() == [first * score for score in usual.scores][::first]

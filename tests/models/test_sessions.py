"""The session model: one click is enough, what follows in past sessions follows here, and no list is short or wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import BadInput, CorruptData
from models.scorers import BoosterScorer, CompiledScorer
from models.session_features import CANDIDATES, FEATURES, session_candidates
from models.session_graph import COSINE, FORWARD, NEXT, WALK_TWO, SessionGraph, build_graph
from models.session_model import SessionModel, next_items
from models.session_neighbours import POSTINGS_AN_ITEM, index_sessions
from models.session_training import SessionParameters, fit_session_model
from models.sessions import Sessions, time_gaps

ITEMS, TASTES = 120, 6
SMALL = SessionParameters(trees=20, leaves=7, least_rows_a_leaf=5)


def sessions_of(*sessions: list[int]) -> Sessions:
    """One second between clicks, a hundred between sessions."""
    codes = np.repeat(np.arange(len(sessions)), [len(one) for one in sessions])
    rows = np.array([row for one in sessions for row in one], np.int32)
    return Sessions.of_clicks(codes, rows, codes * 100 + np.arange(len(rows)))


@pytest.fixture(scope="module")
def past() -> Sessions:
    """800 people who step through the items of one taste, and now and then go back to the first."""
    random = np.random.default_rng(3)
    drawn = []
    for _ in range(800):
        taste, place = random.integers(TASTES), random.integers(ITEMS // TASTES)
        steps = [int((place + step) % (ITEMS // TASTES)) * TASTES + int(taste) for step in range(random.integers(2, 8))]
        drawn.append([*steps, steps[0]] if random.random() < 0.3 else steps)
    return sessions_of(*drawn)


@pytest.fixture(scope="module")
def model(past: Sessions) -> SessionModel:
    return fit_session_model(past, ITEMS, SMALL)


@pytest.fixture(scope="module")
def scorer(model: SessionModel) -> BoosterScorer:
    return BoosterScorer(model.model_text)


def answer(model: SessionModel, scorer: BoosterScorer, session: list[int], count: int = 20) -> list[int]:
    rows = np.array(session, np.int32)
    found, scores = next_items(model, scorer, rows, np.full(len(rows), 5, np.float32), count=count)
    assert len(set(found)) == len(found)
    assert np.all(np.diff(scores) <= 0)
    return found.tolist()


def test_one_click_is_enough(model: SessionModel, scorer: BoosterScorer) -> None:
    for row in range(0, ITEMS, 7):
        first = answer(model, scorer, [row])[:5]
        assert (row + TASTES) % ITEMS in first
        assert sum(found % TASTES == row % TASTES for found in first) >= 4


def test_a_second_click_elsewhere_moves_the_list(model: SessionModel, scorer: BoosterScorer) -> None:
    assert sum(found % TASTES == 2 for found in answer(model, scorer, [1, 8])[:5]) >= 3


@settings(max_examples=60, deadline=None)
@given(session=st.lists(st.integers(-1, ITEMS - 1), max_size=60), count=st.integers(1, ITEMS + 5))
def test_no_list_is_short_repeats_or_shows_the_item_on_the_screen(
    model: SessionModel, scorer: BoosterScorer, session: list[int], count: int
) -> None:
    found = answer(model, scorer, session, count)
    known = [row for row in session if row >= 0]
    assert not set(known[-1:]) & set(found)
    assert len(found) == min(count, ITEMS - len(known[-1:]))


def test_unknown_items_and_no_session_give_what_is_popular(model: SessionModel, scorer: BoosterScorer) -> None:
    assert answer(model, scorer, [], 10) == answer(model, scorer, [-1, -1], 10) == model.popular_rows[:10].tolist()


def test_the_same_sessions_give_the_same_model(past: Sessions, model: SessionModel, tmp_path: Path) -> None:
    again = fit_session_model(past, ITEMS, SMALL)
    assert again.save(tmp_path / "again") == model.save(tmp_path / "first")


def test_a_model_comes_back_and_not_after_a_changed_byte(
    model: SessionModel, scorer: BoosterScorer, tmp_path: Path
) -> None:
    model.save(tmp_path / "m")
    loaded = SessionModel.load(tmp_path / "m")
    assert answer(loaded, BoosterScorer(loaded.model_text), [3, 9]) == answer(model, scorer, [3, 9])
    content = bytearray((tmp_path / "m" / "graph_neighbours.npy").read_bytes())
    content[-1] ^= 1
    (tmp_path / "m" / "graph_neighbours.npy").write_bytes(content)
    with pytest.raises(CorruptData, match="graph_neighbours"):
        SessionModel.load(tmp_path / "m")


def test_compiled_trees_give_the_same_order(model: SessionModel, scorer: BoosterScorer, tmp_path: Path) -> None:
    compiled = CompiledScorer(model, tmp_path)
    for row in range(0, ITEMS, 11):
        _, features = session_candidates(model.sources, np.array([row, 5], np.int32), np.zeros(2, np.float32))
        np.testing.assert_allclose(compiled.score(features), scorer.score(features), atol=1e-12)


def test_what_does_not_fit_is_refused(model: SessionModel, scorer: BoosterScorer) -> None:
    with pytest.raises(BadInput, match="one gap a click"):
        next_items(model, scorer, np.array([1, 2], np.int32), np.zeros(1, np.float32), count=5)
    with pytest.raises(BadInput, match=f"item row {ITEMS} of {ITEMS}"):
        next_items(model, scorer, np.array([ITEMS], np.int32), np.zeros(1, np.float32), count=5)
    with pytest.raises(BadInput, match="it takes two at least"):
        fit_session_model(sessions_of([1, 2]), ITEMS)
    with pytest.raises(BadInput, match="no click of the newest sessions"):
        fit_session_model(sessions_of([1, 2], [3, 4]), ITEMS)


def test_features_are_as_many_as_their_names_and_candidates_bounded(model: SessionModel) -> None:
    rows, features = session_candidates(model.sources, np.arange(40, dtype=np.int32), np.zeros(40, np.float32))
    assert features.shape == (len(rows), len(FEATURES))
    assert len(rows) <= CANDIDATES
    assert np.all(np.diff(rows) > 0)


def test_clicks_ago_and_how_often_are_those_of_this_session(model: SessionModel) -> None:
    rows, features = session_candidates(model.sources, np.array([7, 13, 7, 19], np.int32), np.zeros(4, np.float32))
    known = dict(zip(FEATURES, features[np.searchsorted(rows, [7, 13])].T, strict=True))
    assert known["clicks_ago"].tolist() == [2, 3]
    assert known["times_clicked"].tolist() == [2, 1]


def test_sessions_are_ordered_by_their_last_click_and_clicks_by_time() -> None:
    sessions = Sessions.of_clicks(np.array([5, 9, 5, 9]), np.array([1, 2, 3, 4], np.int32), np.array([40, 10, 20, 30]))
    assert sessions.item_rows.tolist() == [2, 4, 3, 1]
    assert sessions.starts.tolist() == [0, 2, 4]
    assert sessions.part(1, 2).item_rows.tolist() == [3, 1]
    assert time_gaps(sessions.clicked_at[2:]).tolist() == [0, 20]
    with pytest.raises(BadInput, match="item row -1"):
        Sessions.of_clicks(np.array([1]), np.array([-1], np.int32), np.array([1]))
    assert len(Sessions.of_clicks(*(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64)))) == 0


def test_nearest_sessions_vote_for_their_items() -> None:
    index = index_sessions(sessions_of([0, 1], [0, 2, 2], [3, 4]), 6)
    items, votes = index.vote(np.array([0, 5], np.int32), np.array([1.0, 0.5]))
    assert sorted(items) == [0, 0, 1, 2]
    assert votes[items == 1] == pytest.approx(1 + np.log(3))


def test_only_the_most_recent_sessions_of_an_item_are_kept() -> None:
    index = index_sessions(sessions_of(*([0, 1] for _ in range(POSTINGS_AN_ITEM + 50))), 2)
    assert index.posting_sessions[: index.posting_starts[1]].tolist() == list(range(50, POSTINGS_AN_ITEM + 50))


def test_the_graph_knows_order_and_walks() -> None:
    graph = build_graph(sessions_of([0, 1, 2], [0, 1], [2, 3]), 5)
    assert edge(graph, 0, 1)[[NEXT, FORWARD]].tolist() == [2, 2]
    assert edge(graph, 0, 2)[[NEXT, FORWARD]].tolist() == [0, 0.5]
    assert edge(graph, 1, 0)[FORWARD] == 0
    assert edge(graph, 0, 1)[COSINE] > edge(graph, 0, 2)[COSINE] > 0
    assert edge(graph, 0, 3)[FORWARD] == 0 < edge(graph, 0, 3)[WALK_TWO]
    assert graph.starts[5] - graph.starts[4] == 0
    assert all(row not in graph.neighbours[graph.starts[row] : graph.starts[row + 1]] for row in range(5))


def test_another_versions_features_are_refused(
    model: SessionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(model).save(tmp_path / "m")
    monkeypatch.setattr("models.session_model.FEATURES", FEATURES[1:])
    with pytest.raises(CorruptData, match="other session features"):
        SessionModel.load(tmp_path / "m")


def edge(graph: SessionGraph, start: int, end: int) -> np.ndarray:
    edges = slice(graph.starts[start], graph.starts[start + 1])
    return graph.strengths[edges][graph.neighbours[edges] == end][0]

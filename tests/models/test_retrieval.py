"""The retrieval index finds the best open items, whatever is closed, and a graph serves only when it proves itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from contracts.errors import BadInput, CorruptData
from models import retrieval_index
from models.bundle import read_manifest
from models.candidate_bundle import INDEX_FILE, CandidateBundle
from models.candidate_retrieval import with_measured_index
from models.retrieval_gate import Probes, RetrievalLimits, choose_index, measure_recall, norm_spread
from models.retrieval_index import CELLS, EXACT, GRAPH, KINDS, RetrievalIndex, build_index, open_index

RANDOM = np.random.default_rng(5)
ITEMS, SIZE = 6_000, 16
VECTORS = RANDOM.normal(size=(ITEMS, SIZE)).astype(np.float32)
UNIT = (VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)).astype(np.float32)
QUERIES = RANDOM.normal(size=(40, SIZE)).astype(np.float32)


@pytest.fixture(scope="module", params=KINDS)
def index(request: pytest.FixtureRequest) -> RetrievalIndex:
    return build_index(UNIT, request.param)


def closed_of(rows: np.ndarray) -> np.ndarray:
    closed = np.zeros(ITEMS, bool)
    closed[rows] = True
    return closed


def best(query: np.ndarray, count: int, closed: np.ndarray) -> np.ndarray:
    scores = np.where(closed, -np.inf, UNIT @ query)
    return np.argsort(-scores, kind="stable")[:count]


@pytest.mark.parametrize("closed_count", [0, 50, 1_000, 5_000, 5_990, 6_000])
def test_the_best_open_items_are_found_although_the_nearest_are_closed(
    index: RetrievalIndex, closed_count: int
) -> None:
    for query in QUERIES[:10]:
        closed = closed_of(best(query, closed_count, np.zeros(ITEMS, bool)))
        rows, scores = index.search(query, 200, closed)
        assert len(rows) == len(set(rows)) == min(200, ITEMS - closed_count)
        assert not closed[rows].any()
        assert np.all(np.diff(scores) <= 0)
        truth = best(query, len(rows), closed)
        assert np.isin(rows, truth).sum() >= (0.7 if index.kind == CELLS else 0.98) * len(truth)


def test_a_short_allow_list_gives_exactly_what_it_allows(index: RetrievalIndex) -> None:
    closed = np.ones(ITEMS, bool)
    closed[[7, 4_000, 5_999]] = False
    rows, scores = index.search(QUERIES[0], 500, closed)
    assert sorted(rows) == [7, 4_000, 5_999]
    assert scores.tolist() == sorted(scores, reverse=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("closed_count", [0, 300, 900, 4_400, 4_500])
def test_an_index_over_some_rows_knows_no_others(kind: str, closed_count: int) -> None:
    rows = np.flatnonzero(np.arange(ITEMS) % 4 > 0).astype(np.int32)
    index, others = build_index(UNIT, kind, rows), closed_of(np.arange(0, ITEMS, 4))
    for query in QUERIES[:5]:
        closed = closed_of(best(query, closed_count, others))
        found, scores = index.search(query, 200, closed)
        truth = best(query, min(200, len(rows) - closed_count), closed | others)
        assert len(found) == len(truth)
        assert not (closed | others)[found].any()
        assert np.isin(found, truth).sum() >= (0.5 if kind == CELLS else 0.98) * len(truth)
        assert scores.tobytes() == index.score(query, found).tobytes()
    opened = open_index(UNIT, index.to_bytes(), rows)
    assert np.array_equal(opened.search(QUERIES[0], 50)[0], index.search(QUERIES[0], 50)[0])
    assert measure_recall(opened, near_probes(5), 50) >= 0.5
    with pytest.raises(CorruptData, match="make both again"):
        open_index(UNIT, index.to_bytes(), rows[1:])


def test_a_batch_gives_each_query_the_bytes_it_gets_alone(index: RetrievalIndex) -> None:
    shut = [closed_of(RANDOM.choice(ITEMS, number * 60, replace=False)) for number in range(40)]
    for query, closed, (rows, scores) in zip(QUERIES, shut, index.search_many(QUERIES, 300, [*shut]), strict=True):
        alone_rows, alone_scores = index.search(query, 300, closed)
        assert rows.tobytes() == alone_rows.tobytes()
        assert scores.tobytes() == alone_scores.tobytes()


def test_ties_go_by_row_and_stay_with_the_lowest_rows() -> None:
    same = build_index(np.ones((ITEMS, 4), np.float32))
    rows, _ = same.search(np.ones(4, np.float32), 100, closed_of(np.arange(10)))
    assert rows.tolist() == list(range(10, 110))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 20), st.integers(0, 2**12 - 1))
def test_any_catalogue_gives_as_many_as_are_open(items: int, count: int, closed_bits: int) -> None:
    closed = np.array([closed_bits >> row & 1 for row in range(items)], bool)
    rows, _ = build_index(VECTORS[:items]).search(QUERIES[0], count, closed)
    assert len(rows) == min(count, int((~closed).sum()))
    assert not closed[rows].any()


def test_a_graph_that_ends_early_is_filled_by_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval_index, "GRAPH_SEARCH_BREADTH", 1)
    islands = np.repeat(np.eye(SIZE, dtype=np.float32), ITEMS // SIZE, axis=0)
    rows, _ = build_index(islands, GRAPH).search(np.arange(SIZE, dtype=np.float32), 900)
    assert len(set(rows)) == 900


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BadInput, match="there is exact, cells and graph"):
        build_index(UNIT, "best")
    with pytest.raises(BadInput, match=r"a query has shape \(3,\)"):
        build_index(UNIT).search(np.ones(3, np.float32), 5)
    with pytest.raises(CorruptData, match="came with vectors"):
        open_index(UNIT[1:], build_index(UNIT, GRAPH).to_bytes())
    with pytest.raises(BadInput, match="lists of exclusions"):
        Probes(QUERIES, [])


def near_probes(count: int) -> Probes:
    """Users who saw what is nearest to them."""
    nearest = [best(query, count, np.zeros(ITEMS, bool)).astype(np.int32) for query in QUERIES]
    return Probes(QUERIES, nearest)


def test_a_graph_serves_where_cells_lose_too_much_and_it_does_not() -> None:
    index, figures = choose_index(UNIT, near_probes(50), RetrievalLimits(exact_items=1_000, depth=200))
    assert index.kind == figures.kind == GRAPH
    assert figures.recall >= 0.99
    assert "cells refused" in figures.reason


def test_cells_serve_where_items_lie_together_whatever_their_norms() -> None:
    centres = RANDOM.normal(size=(60, SIZE))[np.arange(ITEMS) % 60]
    lumps = (centres + 0.05 * VECTORS) * RANDOM.lognormal(0, 0.2, (ITEMS, 1))
    probes = Probes(lumps[:20].astype(np.float32), [np.arange(50, dtype=np.int32)] * 20)
    index, figures = choose_index(lumps.astype(np.float32), probes, RetrievalLimits(exact_items=1_000, depth=100))
    assert index.kind == figures.kind == CELLS
    assert figures.recall >= 0.99


@pytest.mark.parametrize(
    ("vectors", "limits", "reason"),
    [
        (UNIT, RetrievalLimits(exact_items=6_000), "exact up to 6000 items"),
        (VECTORS, RetrievalLimits(exact_items=10, depth=200), "exact at recall"),
        (UNIT, RetrievalLimits(exact_items=10, least_recall=1.1, depth=200), "graph refused"),
    ],
)
def test_exact_serves_otherwise_and_the_manifest_says_why(
    vectors: np.ndarray, limits: RetrievalLimits, reason: str
) -> None:
    index, figures = choose_index(vectors, near_probes(20), limits)
    assert index.kind == EXACT
    assert reason in figures.reason
    assert figures.recall >= 0.99


def test_no_users_no_graph() -> None:
    index, figures = choose_index(UNIT, Probes(QUERIES[:0], []), RetrievalLimits(exact_items=10))
    assert (index.kind, figures.probes, figures.recall) == (EXACT, 0, 1.0)


def test_recall_sees_what_is_missing() -> None:
    """An index over other vectors than it says finds little of what it should."""
    blind = replace(build_index(np.roll(UNIT, 1, axis=0)), vectors=UNIT)
    assert measure_recall(blind, near_probes(5), 200) < 0.5
    assert norm_spread(UNIT) < 1e-5 < norm_spread(VECTORS)


def test_a_measured_index_comes_back_from_its_bundle(bundle: CandidateBundle, tmp_path: Path) -> None:
    weights = csr_matrix((np.ones(40), (np.repeat(np.arange(20), 2), np.arange(40) * 7)), shape=(21, 300))
    chosen, figures = with_measured_index(bundle, weights, RetrievalLimits(exact_items=10, depth=50))
    assert (chosen.retrieval.kind, figures.probes, figures.recall) == (CELLS, 20, 1.0)
    chosen.save(tmp_path / "b", {"retrieval": figures.as_figures()})
    assert read_manifest(tmp_path / "b", made_by="a test")["retrieval"]["kind"] == CELLS
    assert CandidateBundle.load(tmp_path / "b").retrieval.kind == CELLS


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_read_from_bytes_finds_the_same(kind: str) -> None:
    built = build_index(UNIT, kind)
    opened = open_index(UNIT, built.to_bytes())
    assert opened.kind == kind
    for query in QUERIES[:5]:
        assert np.array_equal(opened.search(query, 300)[0], built.search(query, 300)[0])


def test_a_changed_byte_never_reaches_faiss(bundle: CandidateBundle, tmp_path: Path) -> None:
    replace(bundle, given_index=build_index(bundle.retrieval.vectors, GRAPH, bundle.retrieval.rows)).save(
        tmp_path / "b", {}
    )
    content = bytearray((tmp_path / "b" / INDEX_FILE).read_bytes())
    content[100] ^= 1
    (tmp_path / "b" / INDEX_FILE).write_bytes(content)
    with pytest.raises(CorruptData, match=INDEX_FILE):
        CandidateBundle.load(tmp_path / "b")


def test_a_graph_over_other_factors_is_left_out(bundle: CandidateBundle) -> None:
    graph = build_index(bundle.retrieval.vectors, GRAPH, bundle.retrieval.rows)
    assert replace(bundle, given_index=graph).retrieval.kind == GRAPH
    assert replace(bundle, item_factors=bundle.item_factors * 2, given_index=graph).retrieval.kind == EXACT

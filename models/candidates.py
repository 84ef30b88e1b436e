"""First stage: a few hundred candidates a request, merged from several sources without losing depth.

Sources: the user's own items, ALS fold-in, co-occurrence with recent own items, recent popularity. Every number is
computed for one request at a time, so that a batch and a single request give the same bytes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.lake import WEIGHT_SCALE
from models.candidate_bundle import CandidateBundle
from models.user_state import Request

RECENT_ITEMS = 50  # own items whose neighbours are asked
NO_RANK = np.float32(np.nan)

Rows = NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Quotas:
    """Share of the candidates that each source may bring before ALS fills what is left."""

    own: float = 0.4
    cooccurrence: float = 0.25
    popular: float = 0.15


@dataclass(frozen=True, slots=True)
class Candidates:
    """n candidates, rows ascending; a score is 0 and a rank NaN where a source did not bring the item.

    `rows` int32, all else float32, each [n]. `own_place` int32 is the candidate's index in the request's own items,
    -1 where it is none of them.
    """

    rows: NDArray[np.int32]
    own_place: NDArray[np.int32]
    als_score: NDArray[np.float32]
    als_rank: NDArray[np.float32]
    cooccurrence_score: NDArray[np.float32]
    cooccurrence_rank: NDArray[np.float32]
    cooccurrence_last_score: NDArray[np.float32]
    own_rank: NDArray[np.float32]
    popular_rank: NDArray[np.float32]
    source_count: NDArray[np.float32]


def gather(bundle: CandidateBundle, request: Request, count: int, quotas: Quotas = Quotas()) -> Candidates:
    """Gather up to `count` candidates for one request; fewer only when the catalogue allows no more."""
    item_count = len(bundle.items)
    own_rows = bundle.items.rows(request.own.item_ids)
    open_rows = _open_rows(bundle, request)
    als = _als_scores(bundle, request, own_rows)
    cooccurrence = _cooccurrence_scores(bundle, request, own_rows)
    brought: dict[str, Rows] = {
        "own": _own_order(request, own_rows, open_rows)[: int(count * quotas.own)],
        "cooccurrence": _best(np.where(open_rows, cooccurrence, 0), int(count * quotas.cooccurrence)),
        "popular": bundle.popular_rows[open_rows[bundle.popular_rows]][: int(count * quotas.popular)],
    }
    taken = np.zeros(item_count, np.int32)
    for rows in brought.values():
        taken[rows] += 1
    brought["als"] = _best(np.where(open_rows, als, -np.inf), count) if als.any() else _filler(bundle, open_rows, count)
    left = count - int(np.count_nonzero(taken))
    kept_als = brought["als"][taken[brought["als"]] == 0][:left]
    in_als = np.zeros(item_count, bool)
    in_als[brought["als"]] = True
    rows = np.sort(np.concatenate([np.flatnonzero(taken), kept_als])).astype(np.int32)
    return Candidates(
        rows=rows,
        own_place=_places(own_rows, rows, item_count),
        als_score=als[rows],
        als_rank=_ranks(brought["als"], rows, item_count),
        cooccurrence_score=cooccurrence[rows],
        cooccurrence_rank=_ranks(brought["cooccurrence"], rows, item_count),
        cooccurrence_last_score=_last_scores(bundle, own_rows)[rows],
        own_rank=_ranks(brought["own"], rows, item_count),
        popular_rank=_ranks(brought["popular"], rows, item_count),
        source_count=(taken[rows] + in_als[rows]).astype(np.float32),
    )


def _open_rows(bundle: CandidateBundle, request: Request) -> NDArray[np.bool_]:
    is_open = np.ones(len(bundle.items), bool)
    if request.allowed is not None:
        is_open[:] = False
        allowed = bundle.items.rows(sorted(request.allowed))
        is_open[allowed[allowed >= 0]] = True
    excluded = bundle.items.rows(sorted(request.excluded))
    is_open[excluded[excluded >= 0]] = False
    return is_open


def _als_scores(bundle: CandidateBundle, request: Request, own_rows: NDArray[np.int32]) -> NDArray[np.float32]:
    known = own_rows >= 0
    weights = (request.own.weight_scaled[known] / WEIGHT_SCALE).astype(np.float32)
    user = bundle.fold_in.solve_one(own_rows[known], weights)
    return np.asarray(bundle.item_factors @ user, np.float32)


def _cooccurrence_scores(bundle: CandidateBundle, request: Request, own_rows: NDArray[np.int32]) -> NDArray[np.float32]:
    known = np.flatnonzero(own_rows >= 0)[:RECENT_ITEMS]  # own items come most recent first
    neighbours = bundle.neighbour_rows[own_rows[known]].ravel()
    strength = np.log1p(request.own.event_count[known]).astype(np.float64)
    scores = (bundle.neighbour_scores[own_rows[known]] * strength[:, None]).ravel()
    real = neighbours >= 0
    summed = np.bincount(neighbours[real], weights=scores[real], minlength=len(bundle.items))
    return summed.astype(np.float32)


def _last_scores(bundle: CandidateBundle, own_rows: NDArray[np.int32]) -> NDArray[np.float32]:
    scores = np.zeros(len(bundle.items), np.float32)
    known = own_rows[own_rows >= 0]
    if len(known):
        neighbours = bundle.neighbour_rows[known[0]]
        real = neighbours >= 0
        scores[neighbours[real]] = bundle.neighbour_scores[known[0]][real]
    return scores


def _own_order(request: Request, own_rows: NDArray[np.int32], open_rows: NDArray[np.bool_]) -> Rows:
    known = np.flatnonzero(own_rows >= 0)
    known = known[open_rows[own_rows[known]]]
    order = np.lexsort((own_rows[known], -request.own.weight_scaled[known]))
    return own_rows[known][order]


def _filler(bundle: CandidateBundle, open_rows: NDArray[np.bool_], count: int) -> Rows:
    """Without a history there is no taste to score by: popular items first, then the others by row."""
    popular = bundle.popular_rows[open_rows[bundle.popular_rows]]
    others = np.setdiff1d(np.flatnonzero(open_rows), popular)
    return np.concatenate([popular, others])[:count].astype(np.int64)


def _best(scores: NDArray[np.float32], count: int) -> Rows:
    """Rows of the best positive-or-finite scores, best first, ties by row."""
    usable = np.flatnonzero(np.isfinite(scores) & (scores != 0))
    if len(usable) > count:
        usable = usable[np.argpartition(-scores[usable], count - 1)[:count]] if count else usable[:0]
    return usable[np.lexsort((usable, -scores[usable]))]


def _places(own_rows: NDArray[np.int32], rows: NDArray[np.int32], item_count: int) -> NDArray[np.int32]:
    place = np.full(item_count, -1, np.int32)
    known = np.flatnonzero(own_rows >= 0)
    place[own_rows[known]] = known
    return place[rows]


def _ranks(brought: Rows, rows: NDArray[np.int32], item_count: int) -> NDArray[np.float32]:
    ranks = np.full(item_count, NO_RANK, np.float32)
    ranks[brought] = np.arange(1, len(brought) + 1, dtype=np.float32)
    return ranks[rows]

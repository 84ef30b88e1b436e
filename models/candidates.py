"""First stage: a few hundred candidates a request, merged from several sources without losing depth.

Sources: the user's own items, co-occurrence with recent own items, recent popularity, new items of a liked kind, ALS
fold-in; then whatever is left. Every number is computed for one request at a time, so that a batch and a single request
give the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput
from contracts.lake import WEIGHT_SCALE
from models.candidate_bundle import CandidateBundle
from models.candidate_merge import Rows, merge_sources
from models.retrieval_index import RetrievalIndex
from models.user_state import Request

RECENT_ITEMS = 50  # own items whose neighbours are asked
NO_RANK = np.float32(np.nan)


@dataclass(frozen=True, slots=True)
class Quotas:
    """Share of the candidates that each source may bring before ALS fills what is left; together at most 1."""

    own: float = 0.4
    cooccurrence: float = 0.25
    popular: float = 0.15
    new: float = 0.05  # of items that nobody touched yet: by score alone they would never be found

    def __post_init__(self) -> None:
        shares = (self.own, self.cooccurrence, self.popular, self.new)
        if min(shares) < 0 or sum(shares) > 1:
            raise BadInput(f"quotas {shares} of the sources must be shares from 0 up that sum to 1 at most")


@dataclass(frozen=True, slots=True)
class Candidates:
    """n candidates, rows ascending; a rank is NaN where a source did not bring the item.

    Scores are those of every candidate, whoever brought it; 0 where a source knows nothing of the two.
    `rows` int32, all else float32, each [n]. `own_place` int32 is the candidate's index in the request's own items,
    -1 where it is none of them. `own_rows` int32 [own items] are the rows of the request's own items, -1 where unknown.
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
    own_rows: NDArray[np.int32]


def gather(
    bundle: CandidateBundle, request: Request, count: int, quotas: Quotas = Quotas(), more: Sequence[Rows] = ()
) -> Candidates:
    """Gather up to `count` candidates for one request; fewer only when the catalogue allows no more.

    `more` are rows that the caller found elsewhere, as from a live session, a source each and best first; they come in
    whole, after the request's own items, as far as `count` allows.
    """
    own_rows = bundle.items.rows(request.own.item_ids)
    closed = _closed(bundle, request)
    user = _user_vector(bundle, request, own_rows)
    cooccurrence = _cooccurrence_scores(bundle, request, own_rows)
    own = _own_order(request, own_rows, closed)[: int(count * quotas.own)]
    near = _best_touched(cooccurrence, closed, int(count * quotas.cooccurrence))
    # a stranger has no other source
    popular_count = count - len(own) - len(near) if user is None else int(count * quotas.popular)
    popular = _popular(bundle, closed, popular_count)
    new = _liked(bundle.new_retrieval, user, closed, int(count * quotas.new))
    liked = _liked(bundle.retrieval, user, closed, count)
    rows = merge_sources((own, *more, near, popular, new, liked), (bundle.popular_rows,), closed, count)
    place = np.full(len(bundle.items), -1, np.int32)  # of each item among the candidates
    place[rows] = np.arange(len(rows), dtype=np.int32)
    ranks = [_ranks(source, place, len(rows)) for source in (own, near, popular, liked, new, *more)]
    return Candidates(
        rows=rows,
        own_place=_own_places(own_rows, place, len(rows)),
        als_score=np.zeros(len(rows), np.float32) if user is None else bundle.retrieval.score(user, rows),
        als_rank=ranks[3],
        cooccurrence_score=cooccurrence[rows].astype(np.float32),
        cooccurrence_rank=ranks[1],
        cooccurrence_last_score=_last_scores(bundle, own_rows, place, len(rows)),
        own_rank=ranks[0],
        popular_rank=ranks[2],
        source_count=np.isfinite(ranks).sum(axis=0).astype(np.float32),
        own_rows=own_rows,
    )


def _closed(bundle: CandidateBundle, request: Request) -> NDArray[np.bool_]:
    """Which items must not appear, bool [items]; the item on the screen is one, unless the caller names what may."""
    closed = np.full(len(bundle.items), request.allowed is not None)
    if request.allowed is not None:
        allowed = bundle.items.rows(tuple(request.allowed))
        closed[allowed[allowed >= 0]] = False
    else:
        on_screen = bundle.items.rows(request.session.item_ids[-1:])
        closed[on_screen[on_screen >= 0]] = True
    if request.excluded:
        excluded = bundle.items.rows(tuple(request.excluded))
        closed[excluded[excluded >= 0]] = True
    if request.allowed_rows is not None:
        closed |= ~request.allowed_rows
    return closed


def _user_vector(bundle: CandidateBundle, request: Request, own_rows: NDArray[np.int32]) -> NDArray[np.float32] | None:
    """The user folded in, float32 [factors]; nothing for a user of whom ALS knows nothing."""
    known = own_rows >= 0
    weights = (request.own.weight_scaled[known] / WEIGHT_SCALE).astype(np.float32)
    user = bundle.fold_in.solve_one(own_rows[known], weights)
    return user if user.any() else None


def _liked(index: RetrievalIndex, user: NDArray[np.float32] | None, closed: NDArray[np.bool_], count: int) -> Rows:
    """Open items nearest to the user, best first; none for a user of whom ALS knows nothing."""
    return np.zeros(0, np.int64) if user is None else index.search(user, count, closed)[0]


def _cooccurrence_scores(bundle: CandidateBundle, request: Request, own_rows: NDArray[np.int32]) -> NDArray[np.float64]:
    known = np.flatnonzero(own_rows >= 0)[:RECENT_ITEMS]  # own items come most recent first
    neighbours = bundle.neighbour_rows[own_rows[known]].ravel()
    strength = np.log1p(request.own.event_count[known].astype(np.float64))
    scores = (bundle.neighbour_scores[own_rows[known]] * strength[:, None]).ravel()
    scores[neighbours < 0] = 0.0  # padding; it may land anywhere then
    return np.asarray(np.bincount(np.maximum(neighbours, 0), weights=scores, minlength=len(bundle.items)), np.float64)


def _last_scores(
    bundle: CandidateBundle, own_rows: NDArray[np.int32], place: NDArray[np.int32], count: int
) -> NDArray[np.float32]:
    """Co-occurrence with the most recent own item alone, float32 [candidates]."""
    scores = np.zeros(count, np.float32)
    for last in own_rows[own_rows >= 0][:1]:
        neighbours = bundle.neighbour_rows[last]
        found = (neighbours >= 0) & (place[neighbours] >= 0)
        scores[place[neighbours[found]]] = bundle.neighbour_scores[last][found]
    return scores


def _own_order(request: Request, own_rows: NDArray[np.int32], closed: NDArray[np.bool_]) -> Rows:
    known = np.flatnonzero(own_rows >= 0)
    known = known[~closed[own_rows[known]]]
    order = np.lexsort((own_rows[known], -request.own.weight_scaled[known]))
    return own_rows[known][order]


def _popular(bundle: CandidateBundle, closed: NDArray[np.bool_], count: int) -> Rows:
    reach = count + int(np.count_nonzero(closed))  # at most so many are passed over
    head = bundle.popular_rows[:reach]
    return head[~closed[head]][:count]


def _best(scores: NDArray[np.float32], count: int) -> Rows:
    """Places of the `count` best scores, best first, ties by place; minus infinity is never among them.

    A threshold, not a partition of places: where equal scores straddle the cut the lower places stay, on any CPU.
    """
    count = min(count, len(scores))
    if count <= 0:
        return np.zeros(0, np.int64)
    cut = np.partition(scores, len(scores) - count)[len(scores) - count]
    found = np.flatnonzero(scores >= cut) if cut > -np.inf else np.flatnonzero(scores > -np.inf)
    return found[np.argsort(-scores[found], kind="stable")][:count]


def _best_touched(scores: NDArray[np.float64], closed: NDArray[np.bool_], count: int) -> Rows:
    touched = np.flatnonzero(scores > 0)
    touched = touched[~closed[touched]]
    return touched[_best(scores[touched].astype(np.float32), count)]


def _own_places(own_rows: NDArray[np.int32], place: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    own_places = np.full(count, -1, np.int32)
    known = np.flatnonzero(own_rows >= 0)
    at = place[own_rows[known]]
    own_places[at[at >= 0]] = known[at >= 0]
    return own_places


def _ranks(source: Rows, place: NDArray[np.int32], count: int) -> NDArray[np.float32]:
    """Place of each candidate in a source's order from 1, float32 [candidates]."""
    ranks = np.full(count, NO_RANK, np.float32)
    at = place[source]
    found = np.flatnonzero(at >= 0)
    ranks[at[found]] = found + 1
    return ranks

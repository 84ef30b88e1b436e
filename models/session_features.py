"""What could be clicked next and what is known about each: a live session in, candidates and their features out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.session_graph import BACKWARD, CHANNELS, COSINE, FORWARD, NEXT, WALK_TWO, SessionGraph
from models.session_neighbours import SessionNeighbours
from models.sessions import flat_ranges

CLICKS = 20  # last ones of a session that are looked at
DISTINCT = 10  # last distinct items of them whose neighbours are asked
FADE = 0.8  # of a strength, a click back
CANDIDATES = 200  # most that are told apart
FROM_LAST = (NEXT, FORWARD, BACKWARD, COSINE, WALK_TWO)
UNSCALED = (FORWARD, COSINE, WALK_TWO)
FEATURES = (
    *("votes", "votes_log", "votes_place"),
    *("next", "forward", "backward", "share", "cosine", "walk_two", "walk_three"),
    *("last_next", "last_forward", "last_backward", "last_cosine", "last_walk_two"),
    *("forward_sum", "cosine_sum", "walk_two_sum"),
    *("item_clicks", "item_recent_clicks", "item_trend"),
    *("clicks_ago", "times_clicked", "session_clicks", "session_distinct_share", "last_gap", "last_item_clicks"),
)
TINY = 1e-12

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SessionSources:
    """What past sessions say: neighbours, graph, and clicks of each of m items, float32 [m], all and recent ones."""

    neighbours: SessionNeighbours
    graph: SessionGraph
    item_clicks: NDArray[np.float32]
    recent_clicks: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Found:
    """Every item that a source names: `rows` int64 ascending, and sums over sources, float64, each of that length.

    `own` are the places of the session's distinct items, last clicked first; each was clicked `ago` clicks ago.
    """

    rows: NDArray[np.int64]
    own: NDArray[np.int32]
    ago: NDArray[np.int64]
    votes: Floats
    strengths: list[Floats]
    last_strengths: list[Floats]


def session_candidates(
    sources: SessionSources, rows: NDArray[np.int32], gaps: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """At most CANDIDATES items, int32 ascending, and their features, float32 [candidates, len(FEATURES)].

    `rows` are the known items of the session, oldest first, at least one; `gaps` the seconds before each click. The
    last item is never a candidate: it is on the screen.
    """
    rows, gaps = rows[-CLICKS:], gaps[-CLICKS:]
    found = _find(sources, rows)
    kept = _preselect(found)
    chosen = found.rows[kept]
    clicks, recent = sources.item_clicks[chosen], sources.recent_clicks[chosen]
    columns = (
        *_vote_columns(found.votes, kept),
        *(_scaled(values, kept) for values in (*found.strengths, *found.last_strengths)),
        *(found.strengths[channel][kept] for channel in UNSCALED),
        *(np.log1p(clicks), np.log1p(recent), recent / (clicks + 1)),
        *_own_columns(found, rows, kept),
        *(len(rows), len(found.own) / len(rows), np.log1p(gaps[-1]), np.log1p(sources.item_clicks[rows[-1]])),
    )
    matrix = np.empty((len(kept), len(FEATURES)), np.float32)
    for place, values in enumerate(columns):
        matrix[:, place] = values
    return chosen.astype(np.int32), matrix


def _find(sources: SessionSources, rows: NDArray[np.int32]) -> _Found:
    distinct, ago = _last_distinct(rows)
    asked, asked_ago = distinct[:DISTINCT], ago[:DISTINCT]
    voted, votes = sources.neighbours.vote(asked, 1.0 / asked_ago)
    begins = sources.graph.starts[asked]
    counts = sources.graph.starts[asked + 1] - begins
    edges = flat_ranges(begins, counts)
    near = sources.graph.neighbours[edges]
    found, place = _places((voted, near, distinct), len(sources.item_clicks))
    size, near = len(found), place[near]
    strengths = sources.graph.strengths[edges]
    last, last_strengths = near[: counts[0]], strengths[: counts[0]]
    faded = strengths * np.repeat(FADE ** (asked_ago - 1.0), counts)[:, None]
    return _Found(
        rows=found,
        own=place[distinct],
        ago=ago,
        votes=_sums(place[voted], votes, size),
        strengths=[_sums(near, faded[:, channel], size) for channel in range(CHANNELS)],
        last_strengths=[_sums(last, last_strengths[:, channel], size) for channel in FROM_LAST],
    )


def _last_distinct(rows: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Distinct items, last clicked first, and how many clicks ago each was, from 1."""
    backwards = rows[::-1]
    _, first = np.unique(backwards, return_index=True)
    first.sort()
    return backwards[first], first + 1


def _places(groups: tuple[NDArray[np.int32], ...], item_count: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """All items of the groups, ascending, and the place of each among them, int32 [items]; other places are noise."""
    present = np.zeros(item_count, bool)
    for rows in groups:
        present[rows] = True
    found = np.flatnonzero(present)
    place = np.empty(item_count, np.int32)
    place[found] = np.arange(len(found), dtype=np.int32)
    return found, place


def _preselect(found: _Found) -> NDArray[np.int64]:
    """Places of the items worth telling apart, ascending; never the last item's."""
    worth = found.votes / (found.votes.max() + TINY)
    for channel in (FORWARD, COSINE, WALK_TWO):
        worth += found.strengths[channel] / (found.strengths[channel].max() + TINY)
    worth[found.own] += 1.0
    worth[found.own[0]] = -np.inf
    best: NDArray[np.int64] = np.argsort(-worth, kind="stable")[: min(CANDIDATES, len(worth) - 1)]
    best.sort()
    return best


def _vote_columns(votes: Floats, kept: NDArray[np.int64]) -> tuple[Floats, ...]:
    place = np.empty(len(kept))
    place[np.argsort(-votes[kept], kind="stable")] = 1.0 / np.arange(1, len(kept) + 1)
    return _scaled(votes, kept), np.log1p(votes[kept]), place


def _own_columns(found: _Found, rows: NDArray[np.int32], kept: NDArray[np.int64]) -> tuple[Floats, ...]:
    """Clicks since each candidate was clicked in this session, NaN where never, and how often it was."""
    ago, times = np.full(len(found.rows), np.nan), np.zeros(len(found.rows))
    ago[found.own] = found.ago
    _, counts = np.unique(rows, return_counts=True)
    times[np.sort(found.own)] = counts  # both ascend by item
    return ago[kept], times[kept]


def _scaled(values: Floats, kept: NDArray[np.int64]) -> Floats:
    return np.asarray(values[kept] / (values.max() + TINY), np.float64)


def _sums(places: NDArray[np.int32], values: NDArray[np.float32] | Floats, size: int) -> Floats:
    return np.asarray(np.bincount(places, weights=values, minlength=size), np.float64)

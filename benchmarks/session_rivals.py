"""What the session model is measured beside: popularity, co-occurrence and V-SKNN, each as good as it could be made."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.scorers import Scorer
from models.session_model import SessionModel, next_items
from models.session_neighbours import index_sessions
from models.sessions import Sessions, time_gaps

DEPTH = 20
LAST_CLICKS = 20

Predict = Callable[[NDArray[np.int32], NDArray[np.int64]], NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class Steps:
    """Every click of a session but its first, to be foretold from those before: rows seen, instants, the next row."""

    seen: list[NDArray[np.int32]]
    seen_at: list[NDArray[np.int64]]
    wanted: NDArray[np.int32]
    sessions: NDArray[np.int64]


def steps_of(sessions: Sessions) -> Steps:
    """All steps of all sessions, in order."""
    places = [
        (session, begin, next_at)
        for session, (begin, end) in enumerate(zip(sessions.starts[:-1], sessions.starts[1:], strict=True))
        for next_at in range(begin + 1, end)
    ]
    return Steps(
        seen=[sessions.item_rows[begin:next_at] for _, begin, next_at in places],
        seen_at=[sessions.clicked_at[begin:next_at] for _, begin, next_at in places],
        wanted=sessions.item_rows[[next_at for _, _, next_at in places]],
        sessions=np.array([session for session, _, _ in places]),
    )


def popularity(past: Sessions, item_count: int) -> Predict:
    """The most clicked items."""
    counts = np.bincount(past.item_rows, minlength=item_count)
    order = np.argsort(-counts, kind="stable").astype(np.int32)[: DEPTH + 1]
    return lambda rows, _: order[order != rows[-1]][:DEPTH]


def cooccurrence(past: Sessions, item_count: int) -> Predict:
    """Items in most sessions together with the last one."""
    ones = np.ones(len(past.item_rows))
    held = csr_matrix((ones, (past.codes(), past.item_rows)), shape=(len(past), item_count))
    held.data[:] = 1.0
    together = (held.T @ held).tocsr()

    def predict(rows: NDArray[np.int32], _: NDArray[np.int64]) -> NDArray[np.int32]:
        edges = slice(together.indptr[rows[-1]], together.indptr[rows[-1] + 1])
        return _top(together.indices[edges], together.data[edges], rows[-1])

    return predict


def session_neighbours(past: Sessions, item_count: int) -> Predict:
    """V-SKNN: weights 1 over clicks ago, idf on items, 100 neighbours; within .0003 of the best of 162 on valid."""
    index = index_sessions(past, item_count)

    def predict(rows: NDArray[np.int32], _: NDArray[np.int64]) -> NDArray[np.int32]:
        backwards = rows[::-1]
        _, first = np.unique(backwards, return_index=True)
        items, votes = index.vote(backwards[first], 1.0 / (first + 1))
        named, places = np.unique(items, return_inverse=True)
        scores = np.bincount(places, weights=votes, minlength=len(named)).astype(np.float64)
        return _top(named, scores, rows[-1])

    return predict


def ours(model: SessionModel, scorer: Scorer) -> Predict:
    """The session model."""

    def predict(rows: NDArray[np.int32], clicked_at: NDArray[np.int64]) -> NDArray[np.int32]:
        return next_items(model, scorer, rows[-LAST_CLICKS:], time_gaps(clicked_at[-LAST_CLICKS:]), count=DEPTH)[0]

    return predict


def _top(rows: NDArray[np.int32], scores: NDArray[np.float64], current: np.int32) -> NDArray[np.int32]:
    kept = rows != current
    rows, scores = rows[kept], scores[kept]
    return rows[np.lexsort((rows, -scores))[:DEPTH]]

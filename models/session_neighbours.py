"""Items of past sessions that resemble the present one: weighted session k-nearest-neighbours, from arrays.

Ludewig and Jannach, Evaluation of Session-based Recommendation Algorithms (2018), V-SKNN; Kersbergen, Sprangers and
Schelter, Serenade: Low-Latency Session-Based Recommendation (2022) for the bounded postings of recent sessions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.sessions import Sessions, flat_ranges

POSTINGS_AN_ITEM = 300  # most recent sessions with it
ITEMS_A_SESSION = 30  # last distinct ones
NEIGHBOURS = 100
IDF_WEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class SessionNeighbours:
    """n sessions over m items.

    `posting_sessions` int32 between `posting_starts[i]` and `posting_starts[i + 1]` are the recent sessions with item
    i, ascending; `session_items` int32 and `session_starts` the same the other way round; `item_weights` float32 [m]
    raises items that few sessions hold.
    """

    posting_starts: NDArray[np.int64]
    posting_sessions: NDArray[np.int32]
    session_starts: NDArray[np.int64]
    session_items: NDArray[np.int32]
    item_weights: NDArray[np.float32]

    def vote(
        self, rows: NDArray[np.int32], weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Items of the nearest sessions and each vote for them: int32 [votes], float64 [votes]; an item may repeat.

        `rows` are distinct items of the present session, and `weights` say how much each counts.
        """
        begins = self.posting_starts[rows]
        counts = self.posting_starts[rows + 1] - begins
        found, places = np.unique(self.posting_sessions[flat_ranges(begins, counts)], return_inverse=True)
        likeness = np.bincount(places, weights=np.repeat(weights, counts), minlength=len(found))
        if len(found) > NEIGHBOURS:
            nearest = np.lexsort((-found, -likeness))[:NEIGHBOURS]  # of equals the more recent
            found, likeness = found[nearest], likeness[nearest]
        begins = self.session_starts[found]
        counts = self.session_starts[found + 1] - begins
        items = self.session_items[flat_ranges(begins, counts)]
        return items, np.asarray(np.repeat(likeness, counts) * self.item_weights[items], np.float64)


def index_sessions(sessions: Sessions, item_count: int) -> SessionNeighbours:
    """Index past sessions over `item_count` items."""
    codes, rows = _distinct_last(sessions)
    by_item = np.lexsort((codes, rows))
    posting_codes, posting_rows = codes[by_item], rows[by_item]
    counts = np.bincount(posting_rows, minlength=item_count)
    recent = _from_the_end(counts) < POSTINGS_AN_ITEM
    return SessionNeighbours(
        posting_starts=_starts(np.minimum(counts, POSTINGS_AN_ITEM)),
        posting_sessions=posting_codes[recent].astype(np.int32),
        session_starts=_starts(np.bincount(codes, minlength=len(sessions))),
        session_items=rows.astype(np.int32),
        item_weights=(1.0 + IDF_WEIGHT * np.log(max(len(sessions), 1) / np.maximum(counts, 1))).astype(np.float32),
    )


def _distinct_last(sessions: Sessions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Session and item of each distinct pair, by session, the last clicked items of long ones only."""
    codes, rows = sessions.codes()[::-1], sessions.item_rows[::-1].astype(np.int64)
    _, first = np.unique(codes * (rows.max(initial=0) + 1) + rows, return_index=True)  # first from the end: the last
    first = np.sort(first)[::-1]
    codes, rows = codes[first], rows[first]
    kept = _from_the_end(np.bincount(codes, minlength=len(sessions))) < ITEMS_A_SESSION
    return codes[kept], rows[kept]


def _from_the_end(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How far each member of groups of these sizes stands from the end of its group, 0 for the last."""
    return np.repeat(np.cumsum(counts), counts) - 1 - np.arange(int(counts.sum()))


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

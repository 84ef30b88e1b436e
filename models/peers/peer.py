"""The plug-in point of the evaluation: a method learns from histories and then makes a list for each history.

A method of one's own is one function; `python -m headrace evaluate --peer my_module:my_function` measures it:

    def my_function(past: Histories) -> Recommender:
        best = np.argsort(-past.item_users(), kind="stable").astype(np.int32)
        return lambda asked, ask: np.tile(best[: ask.count], (len(asked), 1))
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.peers.histories import Histories

NOBODY = np.int32(-1)
BLOCK_CELLS = 8_000_000  # scores held at once: 32 MB
NOT_SHOWN = np.float32(-np.inf)
Lists = NDArray[np.int32]
Scores = Callable[[Histories], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Ask:
    """How many items a list has; `novel` lists hold nothing of the user's own history."""

    count: int
    novel: bool


class Recommender(Protocol):
    """Makes lists of histories; their users need not be among those that it learnt from."""

    def __call__(self, asked: Histories, ask: Ask, /) -> Lists:
        """Item rows int32 [users, count], best first, -1 where it has no more."""
        ...


class Peer(Protocol):
    """Learns from all that happened before the split."""

    def __call__(self, past: Histories, /) -> Recommender:
        """Fit, with fixed seeds: the same histories give the same lists."""
        ...


def best_rows(scores: NDArray[np.float32], count: int) -> NDArray[np.int32]:
    """Rows of the `count` best scores, best first, ties by row; NOT_SHOWN is never among them."""
    count = min(count, len(scores))
    cut = np.partition(scores, len(scores) - count)[len(scores) - count]
    found = np.flatnonzero(scores >= cut) if cut > NOT_SHOWN else np.flatnonzero(scores > NOT_SHOWN)
    return found[np.argsort(-scores[found], kind="stable")][:count].astype(np.int32)


def lists_by_score(scores: Scores) -> Recommender:
    """Lists of the best scores; `scores` gives float32 [users, items], NOT_SHOWN for what must not appear."""

    def recommend(asked: Histories, ask: Ask) -> Lists:
        lists = np.full((len(asked), ask.count), NOBODY)
        for rows in blocks(asked):
            block = asked.of_users(rows)
            found = scores(block)
            if ask.novel:
                seen = block.counts().tocoo()
                found[seen.row, seen.col] = NOT_SHOWN
            for user, of_user in zip(rows, found, strict=True):
                best = best_rows(of_user, ask.count)
                lists[user, : len(best)] = best
        return lists

    return recommend


def blocks(asked: Histories) -> list[NDArray[np.int64]]:
    """Users in portions whose scores over all items fit into BLOCK_CELLS."""
    size = max(1, BLOCK_CELLS // max(len(asked.items), 1))
    return [np.arange(begin, min(begin + size, len(asked))) for begin in range(0, len(asked), size)]


def fill(lists: Lists, popular: NDArray[np.int32], asked: Histories, *, novel: bool) -> Lists:
    """The lists with popular items in the places that stayed empty."""
    filled = lists.copy()
    for user in np.flatnonzero((lists == NOBODY).any(axis=1)):
        own = asked.item_rows[asked.starts[user] : asked.starts[user + 1]] if novel else lists[user]
        had = lists[user][lists[user] != NOBODY]
        taken = set(had.tolist()) | (set(own.tolist()) if novel else set())
        more = [row for row in popular[: len(taken) + lists.shape[1]].tolist() if row not in taken]
        whole = [*had.tolist(), *more][: lists.shape[1]]
        filled[user, : len(whole)] = whole
    return filled

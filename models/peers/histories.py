"""What people did, event by event, as arrays: all that a peer may look at."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.id_map import IdMap

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Histories:
    """Events of n users over m items: those of user u are rows starts[u]:starts[u + 1], oldest first, ties by item.

    `starts` int64 [n + 1]; `item_rows` int32 [events], -1 for an item that was unknown before the split; `at_seconds`
    int64 [events]; `category_codes` int32 [m], -1 where unknown; `prices` float64 [m], NaN where unknown; `end_at` the
    instant that all of this is as of, epoch seconds.
    """

    users: tuple[str, ...]
    items: IdMap
    starts: NDArray[np.int64]
    item_rows: NDArray[np.int32]
    at_seconds: NDArray[np.int64]
    category_codes: NDArray[np.int32]
    prices: NDArray[np.float64]
    end_at: int

    def __len__(self) -> int:
        return len(self.users)

    @property
    def user_rows(self) -> NDArray[np.int64]:
        """Whose each event is, int64 [events]."""
        return np.repeat(np.arange(len(self.users)), np.diff(self.starts))

    def counts(self) -> csr_matrix:
        """Events a user and item, float32 [users, items] with sorted columns."""
        known = self.item_rows >= 0
        ones = np.ones(int(known.sum()), np.float32)
        shape = (len(self.users), len(self.items))
        matrix = csr_matrix((ones, (self.user_rows[known], self.item_rows[known])), shape=shape)
        matrix.sum_duplicates()
        matrix.sort_indices()
        return matrix

    def touched(self) -> csr_matrix:
        """1 for each user and item that met, float32 [users, items]."""
        matrix = self.counts()
        matrix.data[:] = 1.0
        return matrix

    def item_users(self, since_at: int | None = None) -> NDArray[np.int64]:
        """How many users touched each item, at or after `since_at` where it is given, int64 [items]."""
        recent = self if since_at is None else self.between(since_at, self.end_at)
        return np.bincount(recent.touched().indices, minlength=len(self.items)).astype(np.int64)

    def between(self, start_at: int, end_at: int) -> "Histories":
        """The same users and items with events of [start_at, end_at) alone, as of `end_at`."""
        kept = (self.at_seconds >= start_at) & (self.at_seconds < end_at)
        return replace(self._with_events(kept), end_at=end_at)

    def first_items(self, count: int) -> "Histories":
        """The same users with their events up to the last before the (count + 1)th distinct item."""
        kept = np.zeros(len(self.item_rows), bool)
        for begin, end in zip(self.starts[:-1], self.starts[1:], strict=True):
            seen: set[int] = set()
            for place in range(begin, end):
                row = int(self.item_rows[place])
                seen.add(row if row >= 0 else -1 - place)  # unknown items are told apart by their places
                if len(seen) > count:
                    break
                kept[place] = True
        return self._with_events(kept)

    def of_users(self, rows: NDArray[np.int64]) -> "Histories":
        """Those of some users, in the order of `rows`."""
        sizes = self.starts[rows + 1] - self.starts[rows]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        places = np.repeat(self.starts[rows] - starts[:-1], sizes) + np.arange(starts[-1])
        users = tuple(self.users[row] for row in rows)
        events = {"item_rows": self.item_rows[places], "at_seconds": self.at_seconds[places]}
        return replace(self, users=users, starts=starts, **events)

    def _with_events(self, kept: NDArray[np.bool_]) -> "Histories":
        sizes = np.bincount(self.user_rows[kept], minlength=len(self.users))
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return replace(self, starts=starts, item_rows=self.item_rows[kept], at_seconds=self.at_seconds[kept])


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is known of m items besides events, as in Histories."""

    items: IdMap
    category_codes: NDArray[np.int32]
    prices: NDArray[np.float64]


def histories_of(
    users: tuple[str, ...],
    catalogue: Catalogue,
    rows: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]],
    *,
    end_at: int,
) -> Histories:
    """Build from events in any order: `rows` are user row, item row and epoch seconds of each."""
    user_rows, item_rows, at_seconds = rows
    order = np.lexsort((item_rows, at_seconds, user_rows))
    starts = np.concatenate([[0], np.cumsum(np.bincount(user_rows, minlength=len(users)))]).astype(np.int64)
    return Histories(
        users,
        catalogue.items,
        starts,
        item_rows[order],
        at_seconds[order],
        catalogue.category_codes,
        catalogue.prices,
        end_at,
    )

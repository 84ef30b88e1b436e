"""The plain features of the LightGBM peer: own counts and ages, popularity, price and category."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.peers.histories import DAY_SECONDS, Histories

POPULAR_DAYS = (7, 30, 90)


@dataclass(frozen=True, slots=True)
class Own:
    """A person's own items, rows ascending, with counts and instants (epoch seconds); `end_at` is the present."""

    rows: NDArray[np.int32]
    counts: NDArray[np.int64]
    first_at: NDArray[np.int64]
    last_at: NDArray[np.int64]
    recent: NDArray[np.int64]
    end_at: int

    @classmethod
    def of(cls, asked: Histories, user: int) -> "Own":
        """Those of one user of `asked`."""
        part = slice(asked.starts[user], asked.starts[user + 1])
        rows, at = asked.item_rows[part], asked.at_seconds[part]
        rows, at = rows[rows >= 0], at[rows >= 0]
        distinct, first, counts = np.unique(rows, return_index=True, return_counts=True)
        _, last = np.unique(rows[::-1], return_index=True)
        places = np.searchsorted(distinct, rows[at >= asked.end_at - 30 * DAY_SECONDS])
        recent = np.bincount(places, minlength=len(distinct)).astype(np.int64)
        return cls(distinct, counts.astype(np.int64), at[first], at[::-1][last], recent, asked.end_at)

    def most_frequent(self, count: int) -> NDArray[np.int32]:
        """Rows of the most frequent items, ties by the latest."""
        return self.rows[np.lexsort((self.rows, -self.last_at, -self.counts))[:count]]


def item_columns(past: Histories) -> NDArray[np.float32]:
    """Popularity overall and of late, and price, float32 [items, 5]."""
    popular = [past.item_users(past.end_at - days * DAY_SECONDS) for days in POPULAR_DAYS]
    return np.column_stack([past.item_users(), *popular, past.prices]).astype(np.float32)


def own_columns(past: Histories, own: Own, rows: NDArray[np.int32]) -> NDArray[np.float32]:
    """What a person has to do with each candidate and its category, float32 [rows, 7]."""
    places = np.searchsorted(own.rows, rows)
    places[places == len(own.rows)] = 0
    mine = own.rows[places] == rows if len(own.rows) else np.zeros(len(rows), bool)
    total = max(int(own.counts.sum()), 1)

    def pick(values: NDArray[np.int64], otherwise: float) -> NDArray[np.float64]:
        return np.where(mine, values[places], otherwise) if len(values) else np.full(len(rows), otherwise)

    count = pick(own.counts, 0.0)
    idle = (own.end_at - pick(own.last_at, np.nan)) / DAY_SECONDS
    gap = (pick(own.last_at, np.nan) - pick(own.first_at, np.nan)) / DAY_SECONDS / np.maximum(count - 1, 1)
    codes = past.category_codes
    of_category = np.bincount(codes[own.rows] + 1, weights=own.counts, minlength=int(codes.max(initial=-1)) + 2)
    of_category[0] = 0.0  # of items without a category
    shares = of_category[codes[rows] + 1] / total
    columns = (count, pick(own.recent, 0.0), idle, gap, count / total, shares, np.full(len(rows), total))
    return np.column_stack(columns).astype(np.float32)

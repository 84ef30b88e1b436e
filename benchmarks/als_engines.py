"""implicit against Spark ML: seconds of a fit on a million interactions, and NDCG@10 of both on items held out.

`python -m benchmarks.als_engines`; both engines are the ones that the hour runs, they read the same partition, and
they take turns. The ratio of seconds is taken within each pair, because the machine's load varies.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.report import Figure, show
from contracts import lake
from contracts.intervals import Interval
from contracts.manifest import Manifest
from contracts.settings import Settings
from models import als
from models.evaluation import ndcg_at_k
from models.id_map import IdMap
from models.tables import write_partition
from spark_jobs.als_engines import IMPLICIT, SPARK, choose_engine
from spark_jobs.context import JobContext
from spark_jobs.session import spark_application
from spark_jobs.weights import read_weights

USERS, ITEMS, ITEMS_A_USER, HELD_OUT = 50_000, 10_000, 20, 4
TASTES, CHUNK, SEED = 16, 1_000, 7
PAIRS, JUDGED_USERS = 3, 5_000
GOAL_SPEED, STRETCH_SPEED, GOAL_NDCG_GAP = 5.0, 15.0, 0.03
INTERVAL = Interval.of_key("2026-01-31T07")


@dataclass(frozen=True, slots=True)
class World:
    """Row i is a user: `seen` int32 [USERS, ITEMS_A_USER] and `held_out` int32 [USERS, HELD_OUT] are item rows.

    `weights` int64 [USERS, ITEMS_A_USER] are those of `seen`, scaled.
    """

    seen: NDArray[np.int32]
    held_out: NDArray[np.int32]
    weights: NDArray[np.int64]


def main() -> None:
    """Fit with both engines in turn and keep the figures."""
    world = make_world()
    items = IdMap(tuple(f"i{row:05d}" for row in range(ITEMS)))
    with _lake_of(world, items) as context:
        seconds: dict[str, list[float]] = {IMPLICIT: [], SPARK: []}
        factors: dict[str, NDArray[np.float32]] = {}
        for _ in range(PAIRS):
            for engine, measured in seconds.items():
                started = time.perf_counter()
                factors[engine] = _fit(context, items, engine=engine)
                measured.append(time.perf_counter() - started)
                print(f"{engine}: {measured[-1]:.1f} s", flush=True)
        quality = {engine: _ndcg(context, items, world=world, item_factors=found) for engine, found in factors.items()}
    show("als_engines", [_speed_figure(seconds), _quality_figure(quality)], _conditions())


def make_world() -> World:
    """Draw each user's items by taste and popularity; without repetition (Gumbel's top-k trick), same every time."""
    random = np.random.default_rng(SEED)
    popularity = -0.8 * np.log(1.0 + random.permutation(ITEMS))
    item_tastes = random.normal(size=(TASTES, ITEMS)).astype(np.float32)
    drawn = np.empty((USERS, ITEMS_A_USER + HELD_OUT), np.int32)
    for begin in range(0, USERS, CHUNK):
        tastes = random.normal(size=(CHUNK, TASTES)).astype(np.float32)
        appeal = tastes @ item_tastes + popularity + random.gumbel(size=(CHUNK, ITEMS))
        best = np.argpartition(-appeal, drawn.shape[1], axis=1)[:, : drawn.shape[1]]
        drawn[begin : begin + CHUNK] = random.permuted(best, axis=1)
    weights = random.integers(1, 9, (USERS, ITEMS_A_USER)) * lake.WEIGHT_SCALE
    return World(drawn[:, :ITEMS_A_USER], drawn[:, ITEMS_A_USER:], weights)


@contextmanager
def _lake_of(world: World, items: IdMap) -> Iterator[JobContext]:
    with tempfile.TemporaryDirectory(prefix="hr") as folder:
        settings = Settings(root=Path(folder))
        with spark_application(settings) as session:
            context = JobContext(INTERVAL, settings, session)
            _write_interactions(context, _interactions(world, items))
            session.range(1_000_000).selectExpr("sum(id)").collect()  # the first job of a session pays for the JVM
            yield context


def _interactions(world: World, items: IdMap) -> pa.Table:
    count = world.seen.size
    item_ids = pa.array(items.external_ids).take(pa.array(world.seen.ravel()))
    columns = {
        lake.USER_ID: pa.array(np.repeat([f"u{row:05d}" for row in range(USERS)], ITEMS_A_USER)),
        lake.ITEM_ID: item_ids,
        lake.WEIGHT: world.weights.ravel(),
    }
    nothing_more = {name: np.ones(count, np.int64) for name in lake.INTERACTIONS.column_names if name not in columns}
    return pa.table(columns | nothing_more)


def _write_interactions(context: JobContext, pairs: pa.Table) -> None:
    digest = write_partition(lake.INTERACTIONS, pairs, context.tables, context.key)
    Manifest("benchmark", len(pairs), digest).write(lake.INTERACTIONS.partition(context.tables, context.key))


def _fit(context: JobContext, items: IdMap, *, engine: str) -> NDArray[np.float32]:
    settings = Settings(root=context.settings.root, als_engine=engine)
    chosen = JobContext(context.interval, settings, context.session)
    fitter = choose_engine(chosen, users=USERS, items=ITEMS, interactions=USERS * ITEMS_A_USER)
    return fitter.fit(chosen, items, None)


def _ndcg(context: JobContext, items: IdMap, *, world: World, item_factors: NDArray[np.float32]) -> float:
    """Mean NDCG@10 over users drawn evenly, items already seen left out."""
    _, weights = read_weights(context, items)
    users = np.arange(0, USERS, USERS // JUDGED_USERS)
    folded = als.fold_in(item_factors, weights[users], context.settings.als_regularization)
    lists, truths = [], []
    for user, factors in zip(users, folded, strict=True):
        scores = item_factors @ factors
        scores[world.seen[user]] = -np.inf
        lists.append([items.external_ids[row] for row in np.argsort(-scores, kind="stable")[:10]])
        truths.append({items.external_ids[row] for row in world.held_out[user]})
    return float(ndcg_at_k(lists, truths, 10).mean())


def _speed_figure(seconds: dict[str, list[float]]) -> Figure:
    ours, reference = seconds[IMPLICIT], seconds[SPARK]
    ratio = statistics.median(slow / fast for fast, slow in zip(ours, reference, strict=True))
    return Figure(
        "fit of item factors, read included",
        f"{statistics.median(ours):.1f} s implicit",
        f"{statistics.median(reference):.1f} s Spark ML",
        ratio,
        f">= {GOAL_SPEED}, stretch {STRETCH_SPEED}",
        ratio >= GOAL_SPEED,
    )


def _quality_figure(quality: dict[str, float]) -> Figure:
    ratio = quality[IMPLICIT] / quality[SPARK]
    return Figure(
        "NDCG@10 on items held out",
        f"{quality[IMPLICIT]:.4f} implicit",
        f"{quality[SPARK]:.4f} Spark ML",
        ratio,
        f"within {GOAL_NDCG_GAP:.0%}",
        abs(ratio - 1.0) <= GOAL_NDCG_GAP,
    )


def _conditions() -> dict[str, object]:
    settings = Settings()
    return {
        "users": USERS,
        "items": ITEMS,
        "interactions": USERS * ITEMS_A_USER,
        "factors": settings.als_factors,
        "iterations": settings.als_iterations,
        "pairs": PAIRS,
        "load average": f"{os.getloadavg()[0]:.1f}",
    }


if __name__ == "__main__":
    main()

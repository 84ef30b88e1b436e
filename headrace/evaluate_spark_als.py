"""Spark ML's ALS as a peer; it lives here because models know nothing of Spark."""

from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import DataFrame, SparkSession

from contracts.errors import BadInput
from models.peers.histories import Histories
from models.peers.peer import NOT_SHOWN, Recommender, lists_by_score

NAME = "Spark ML ALS"
FACTORS, SWEEPS, PENALTY, SEED = 64, 10, 0.05, 7
SWEEPS_A_CHECKPOINT = 2
_USER, _ITEM, _RATING = "user_row", "item_row", "rating"


def fit_spark_als(session: SparkSession, past: Histories) -> Recommender:
    """Fit on counts. It cannot fold people in: whoever it did not learn from gets what is popular."""
    counts = past.counts().tocoo()
    rows = session.createDataFrame(
        _pandas_frame(counts.row, counts.col, counts.data), f"{_USER} int, {_ITEM} int, {_RATING} float"
    )
    with TemporaryDirectory(prefix="headrace-als-") as folder:
        session.sparkContext.setCheckpointDir(folder)  # else Spark's plan of ten sweeps outgrows the stack of Java
        model = _fit(rows)
        users = _factors(model.userFactors, len(past))
        items = _factors(model.itemFactors, len(past.items))
    return _recommender(past, users, items)


def _fit(rows: DataFrame) -> ALSModel:
    return ALS(
        rank=FACTORS, maxIter=SWEEPS, regParam=PENALTY, implicitPrefs=True, alpha=1.0, seed=SEED,
        userCol=_USER, itemCol=_ITEM, ratingCol=_RATING, checkpointInterval=SWEEPS_A_CHECKPOINT,
    ).fit(rows)  # fmt: skip


def fitted_with_the_jobs(past: Histories) -> Recommender:
    """Stands in the list of peers; what serves is fitted by `fit_spark_als` while the Spark of the jobs runs."""
    raise BadInput(f"{NAME} needs the Spark of the jobs; it is fitted beside them")


def _recommender(past: Histories, users: NDArray[np.float32], items: NDArray[np.float32]) -> Recommender:
    rows = {user: row for row, user in enumerate(past.users)}
    known_items = np.asarray(items.any(axis=1))

    def scores(asked: Histories) -> NDArray[np.float32]:
        found = np.array([rows.get(user, -1) for user in asked.users])
        factors = users[found] * (found >= 0)[:, None].astype(np.float32)
        return np.where(known_items & np.asarray(factors.any(axis=1))[:, None], factors @ items.T, NOT_SHOWN)

    return lists_by_score(scores)


def _factors(frame: DataFrame, count: int) -> NDArray[np.float32]:
    found = np.zeros((count, FACTORS), np.float32)
    for row in frame.toLocalIterator():
        found[row["id"]] = row["features"]
    return found


def _pandas_frame(*columns: NDArray[np.generic]) -> pd.DataFrame:
    return pd.DataFrame(dict(zip((_USER, _ITEM, _RATING), columns, strict=True)))

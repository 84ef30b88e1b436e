"""Two engines behind one interface: implicit on one machine, Spark ML for matrices that outgrow it."""

import logging
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from contracts.lake import INTERACTIONS, ITEM_ID, USER_ID, WEIGHT, WEIGHT_SCALE
from models import als
from models.id_map import IdMap
from spark_jobs.context import JobContext
from spark_jobs.partitions import read_interval
from spark_jobs.weights import read_weights

logger = logging.getLogger(__name__)
AUTO, IMPLICIT, SPARK = "auto", "implicit", "spark"
LEAST_RATING = 1e-3  # Spark ML takes zero and less for dislike
ItemFactors = NDArray[np.float32]


class AlsEngine(Protocol):
    """Fits item factors to this interval's interactions."""

    name: str

    def fit(self, context: JobContext, items: IdMap, warm: ItemFactors | None) -> ItemFactors:
        """Item factors, float32 [items, factors], rows as in `items`; `warm` is where to start, aligned likewise."""
        ...


class ImplicitEngine:
    """implicit's conjugate gradients in this process; the same input gives the same bytes."""

    name = IMPLICIT

    def fit(self, context: JobContext, items: IdMap, warm: ItemFactors | None) -> ItemFactors:
        """See AlsEngine."""
        _, weights = read_weights(context, items)
        return als.fit_implicit(weights, parameters_of(context), warm)


class SparkEngine:
    """Spark ML's implicitPrefs ALS; always cold, and the same up to the last bits of a float."""

    name = SPARK

    def fit(self, context: JobContext, items: IdMap, warm: ItemFactors | None) -> ItemFactors:
        """See AlsEngine; Spark ML takes no start, so `warm` goes unused."""
        rated = _rated(context, items)
        parameters = parameters_of(context)
        model = ALS(
            rank=parameters.factors,
            maxIter=parameters.iterations,
            regParam=parameters.regularization,
            implicitPrefs=True,
            alpha=1.0,
            seed=parameters.seed,
            userCol=_USER_ROW,
            itemCol=_ITEM_ROW,
            ratingCol=_RATING,
        ).fit(rated)
        factors = np.zeros((len(items), parameters.factors), np.float32)
        for row in model.itemFactors.toLocalIterator():
            factors[row["id"]] = row["features"]
        return factors


_ENGINES: dict[str, AlsEngine] = {IMPLICIT: ImplicitEngine(), SPARK: SparkEngine()}
_USER_ROW, _ITEM_ROW, _RATING = "user_row", "item_row", "rating"


def choose_engine(context: JobContext, *, users: int, items: int, interactions: int) -> AlsEngine:
    """The engine that the settings name; `auto` takes Spark when implicit would need more than als_memory_bytes."""
    settings = context.settings
    needed = als.estimate_bytes(users, items, interactions, settings.als_factors)
    fitting = IMPLICIT if needed <= settings.als_memory_bytes else SPARK
    name = fitting if settings.als_engine == AUTO else settings.als_engine
    logger.info(
        "event=als_engine interval=%s engine=%s asked=%s needed_bytes=%d allowed_bytes=%d",
        *(context.key, name, settings.als_engine, needed, settings.als_memory_bytes),
    )
    return _ENGINES[name]


def parameters_of(context: JobContext) -> als.AlsParameters:
    """The fit's parameters as the settings have them."""
    settings = context.settings
    return als.AlsParameters(settings.als_factors, settings.als_iterations, settings.als_regularization)


def item_rows(context: JobContext, items: IdMap, row_name: str) -> DataFrame:
    """Items with their rows, as a frame to join with."""
    return context.session.createDataFrame(
        list(zip(items.external_ids, range(len(items)), strict=True)), f"`{ITEM_ID}` string, `{row_name}` int"
    )


def _rated(context: JobContext, items: IdMap) -> DataFrame:
    pairs = read_interval(context, INTERACTIONS)
    users = pairs.select(USER_ID).distinct()
    numbered = users.select(USER_ID, F.row_number().over(Window.orderBy(USER_ID)).alias(_USER_ROW))
    joined = pairs.join(numbered, USER_ID, how="inner").join(
        F.broadcast(item_rows(context, items, _ITEM_ROW)), ITEM_ID, how="inner"
    )
    # Spark ML adds the rating to a confidence of 1, as models.als adds log(1 + weight); zero and less mean dislike
    rating = F.greatest(F.log1p(F.col(WEIGHT) / WEIGHT_SCALE), F.lit(LEAST_RATING)).cast("float")
    return joined.select(_USER_ROW, _ITEM_ROW, rating.alias(_RATING))

"""Both engines find the same two tastes; auto takes the one that fits."""

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from contracts.intervals import Interval
from models.als import fold_in
from models.candidate_bundle import CandidateBundle
from models.id_map import IdMap
from spark_jobs import train_candidates
from spark_jobs.als_engines import choose_engine
from spark_jobs.context import JobContext
from spark_jobs.weights import read_weights
from tests.spark_jobs.running import context_of
from tests.worlds import BAKERY_ITEMS, GARDEN_ITEMS

pytestmark = pytest.mark.spark
SIZES = {"users": 1_000_000, "items": 100_000, "interactions": 100_000_000}


@pytest.mark.parametrize("engine", ["implicit", "spark"])
def test_a_baker_is_nearer_to_the_bakery_than_to_the_garden(shop_hour: JobContext, engine: str) -> None:
    context = context_of(shop_hour.settings.root, shop_hour.session, als_engine=engine)
    items = CandidateBundle.load(shop_hour.candidate_bundle).items
    factors = choose_engine(context, users=12, items=11, interactions=60).fit(context, items, None)
    users, weights = read_weights(context, items)
    baker = fold_in(factors, weights, context.settings.als_regularization)[users.rows(["b0"])[0]]
    scores = factors @ baker
    assert factors.shape == (len(items), context.settings.als_factors)
    assert scores[items.rows(BAKERY_ITEMS)].min() > scores[items.rows(GARDEN_ITEMS)].max()


def test_the_spark_engine_gives_the_same_bytes_twice(shop_hour: JobContext) -> None:
    context = context_of(shop_hour.settings.root, shop_hour.session, als_engine="spark")
    items = CandidateBundle.load(shop_hour.candidate_bundle).items
    engine = choose_engine(context, users=12, items=11, interactions=60)
    assert engine.fit(context, items, None).tobytes() == engine.fit(context, items, None).tobytes()


def test_auto_takes_implicit_while_its_estimate_fits_and_spark_beyond(tmp_path: Path, spark: SparkSession) -> None:
    roomy = context_of(tmp_path, spark, als_memory_bytes=1 << 40)
    tight = context_of(tmp_path, spark, als_memory_bytes=1 << 20)
    assert [choose_engine(context, **SIZES).name for context in (roomy, tight)] == ["implicit", "spark"]


def test_a_warm_start_takes_the_factors_of_the_hour_before_and_a_cold_one_none(
    shop_hour: JobContext, spark: SparkSession
) -> None:
    next_hour = Interval.of_key("2026-01-31T08")
    before = CandidateBundle.load(shop_hour.candidate_bundle)
    items = IdMap.of([*before.items.external_ids, "zebra"])
    cold = JobContext(next_hour, shop_hour.settings, spark, cold=True)
    assert train_candidates.warm_factors(cold, items) == (None, "none")
    warm, digest = train_candidates.warm_factors(JobContext(next_hour, shop_hour.settings, spark), items)
    assert digest != "none"
    np.testing.assert_array_equal(warm[items.rows(before.items.external_ids)], before.item_factors)

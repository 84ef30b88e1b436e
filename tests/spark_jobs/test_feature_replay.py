"""Ten thousand request rows through Spark and in process: no value differs."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from contracts.features import FEATURE_ORDER, USER_STATS, USER_STATS_TABLE
from contracts.intervals import HOUR
from contracts.lake import FEATURES, INTERACTIONS, ITEM_ID, USER_ID
from models.candidate_bundle import CandidateBundle
from models.two_stage import candidate_features
from models.user_state import OwnItems, Request
from spark_jobs.context import JobContext
from spark_jobs.partitions import read_interval
from spark_jobs.profiles import profiles, requests_of
from tests.spark_jobs.running import rows_of

pytestmark = pytest.mark.spark
AS_OF = "as_of_at"
ROWS, USERS, ITEMS = 10_000, 12, 11


def instants(context: JobContext) -> list[int]:
    """Hours after the interval's end, so that ages, weekdays and parts of the day all vary."""
    users_and_items = 12 * 11
    count = -(-ROWS // users_and_items)
    return [
        int((context.interval.end_at + step * 5 * HOUR + timedelta(seconds=step)).timestamp()) for step in range(count)
    ]


def through_spark(context: JobContext, bundle: CandidateBundle) -> dict[tuple[str, int, str], np.ndarray]:
    def features(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            for at, rows in frame.groupby(AS_OF):
                found = candidate_features(bundle, requests_of(rows, int(at)), len(bundle.items))
                for user, one in zip(rows[USER_ID], found, strict=True):
                    items = [bundle.items.external_ids[row] for row in one.rows]
                    yield pd.DataFrame({USER_ID: user, AS_OF: at, ITEM_ID: items, FEATURES: list(one.features)})

    users = read_interval(context, USER_STATS_TABLE)
    known = profiles(read_interval(context, INTERACTIONS), users, users)
    asked = known.withColumn(AS_OF, F.explode(F.array(*map(F.lit, instants(context)))))
    made = asked.mapInPandas(features, f"{USER_ID} string, {AS_OF} bigint, {ITEM_ID} string, {FEATURES} array<float>")
    return {(row[0], row[1], row[2]): np.array(row[3], np.float32) for row in made.collect()}


def in_process(context: JobContext, bundle: CandidateBundle) -> dict[tuple[str, int, str], np.ndarray]:
    pairs = rows_of(context, INTERACTIONS)
    found = {}
    for stats in rows_of(context, USER_STATS_TABLE):
        own = OwnItems.from_rows([row for row in pairs if row[USER_ID] == stats[USER_ID]])
        values = np.array([np.nan if stats[name] is None else stats[name] for name in USER_STATS])
        for at in instants(context):
            (one,) = candidate_features(bundle, [Request(stats[USER_ID], at, own, values)], len(bundle.items))
            for row, features in zip(one.rows, one.features, strict=True):
                found[stats[USER_ID], at, bundle.items.external_ids[row]] = features
    return found


def test_ten_thousand_rows_are_the_same_on_both_paths(shop_hour: JobContext) -> None:
    bundle = CandidateBundle.load(shop_hour.candidate_bundle)
    served, batch = in_process(shop_hour, bundle), through_spark(shop_hour, bundle)
    assert served.keys() == batch.keys()
    assert len(served) >= ROWS
    keys = sorted(served)
    one, other = (np.stack([found[key] for key in keys]) for found in (served, batch))
    differing = [FEATURE_ORDER[place] for place in np.flatnonzero((one.view("i4") != other.view("i4")).any(axis=0))]
    assert differing == []

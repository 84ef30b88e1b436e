"""What is known of users, as rows that become requests: the batch's way to models.user_state.Request."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from contracts.features import USER_STATS
from contracts.lake import (
    COUNT_30D,
    EVENT_COUNT,
    FIRST_AT,
    ITEM_ID,
    LAST_AT,
    PURCHASE_COUNT,
    RANK,
    USER_ID,
    VALUE_SUM,
    WEIGHT,
)
from contracts.user_state import MAX_PROFILE_ITEMS
from models.user_state import OwnItems, Request

BATCH_USERS = 200  # requests scored at once: their feature rows take some 30 MB
PARTITIONS_A_CORE = 4
STATS = "user_stats"
_OWN = (ITEM_ID, WEIGHT, EVENT_COUNT, PURCHASE_COUNT, COUNT_30D, FIRST_AT, LAST_AT, VALUE_SUM)
_ROWS = "rows"


def profiles(pairs: DataFrame, stats: DataFrame, users: DataFrame) -> DataFrame:
    """One row for each of `users`: id, statistics, and their most recent items as parallel arrays.

    Spread over several partitions a core whatever their size, since what follows is work and not bytes.
    """
    wanted = F.broadcast(users.select(USER_ID))
    latest = Window.partitionBy(USER_ID).orderBy(F.desc(LAST_AT), ITEM_ID)
    own = pairs.join(wanted, USER_ID, how="left_semi").withColumn(RANK, F.row_number().over(latest))
    bounded = own.where(F.col(RANK) <= MAX_PROFILE_ITEMS)
    collected = bounded.groupBy(USER_ID).agg(F.sort_array(F.collect_list(F.struct(RANK, *_OWN))).alias(_ROWS))
    known = stats.join(wanted, USER_ID, how="left_semi").select(
        USER_ID, F.array(*(F.coalesce(name, F.lit(float("nan"))) for name in USER_STATS)).alias(STATS)
    )
    fields = [F.col(f"{_ROWS}.{name}").alias(name) for name in _OWN]
    rows = collected.join(known, USER_ID, how="inner").select(USER_ID, STATS, *fields)
    return rows.repartition(pairs.sparkSession.sparkContext.defaultParallelism * PARTITIONS_A_CORE, USER_ID)


def requests_of(rows: pd.DataFrame, as_of_at: int) -> list[Request]:
    """The requests that rows of `profiles` stand for."""
    columns = [rows[name].to_numpy() for name in (USER_ID, STATS, *_OWN)]
    return [
        Request(user, as_of_at, _own_items(*own), np.asarray(stats, np.float64))
        for user, stats, *own in zip(*columns, strict=True)
    ]


def in_batches(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Cut frames of any size into frames of at most BATCH_USERS rows."""
    for frame in frames:
        for start in range(0, len(frame), BATCH_USERS):
            yield frame.iloc[start : start + BATCH_USERS]


def _own_items(*columns: np.ndarray) -> OwnItems:
    ids, weight, *rest = columns
    events, purchases, recent, first, last, value = rest
    return OwnItems(
        item_ids=tuple(ids),
        weight_scaled=np.asarray(weight, np.int64),
        event_count=np.asarray(events, np.int32),
        purchase_count=np.asarray(purchases, np.int32),
        count_30d=np.asarray(recent, np.int32),
        first_at=np.asarray(first, np.int64),
        last_at=np.asarray(last, np.int64),
        value_scaled=np.asarray(value, np.int64),
    )

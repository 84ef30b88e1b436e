"""Items that the same users touched: cosine of two items over their users, the best neighbours of each item."""

import math

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from contracts.lake import ITEM_ID, LAST_AT, NEIGHBOUR_ID, NEIGHBOURS, RANK, SCORE, USER_ID

NEIGHBOURS_AN_ITEM = 50
LEAST_SUPPORT = 2  # users that two items must share: one user proves nothing
SHRINKAGE = 5.0  # users added to the denominator, so that a rare pair does not look like a strong one
PAIR_BUDGET = 30_000_000  # pairs counted, about; it bounds the seconds whatever the number of users
LEAST_ITEMS, MOST_ITEMS = 30, 300
_ITEMS, _LEFT, _RIGHT, _BOTH, _USERS = "items", "left_item", "right_item", "both", "users"


def items_a_user(user_count: int) -> int:
    """How many of a user's most recent items are paired, so that all pairs stay within the budget."""
    affordable = math.isqrt(2 * PAIR_BUDGET // max(user_count, 1))
    return min(max(affordable, LEAST_ITEMS), MOST_ITEMS)


def neighbours(pairs: DataFrame, *, items_per_user: int) -> DataFrame:
    """Count users by pair of items and keep each item's best: rows of NEIGHBOURS, ties by id.

    Score is both / (sqrt(left users x right users) + SHRINKAGE), over each user's `items_per_user` most recent items.
    """
    baskets = _baskets(pairs, items_per_user)
    users_of = baskets.select(F.explode(_ITEMS).alias(ITEM_ID)).groupBy(ITEM_ID).agg(F.count(F.lit(1)).alias(_USERS))
    together = _pairs_of(baskets).where(F.col(_BOTH) >= LEAST_SUPPORT)
    directed = together.unionByName(
        together.select(F.col(_LEFT).alias(_RIGHT), F.col(_RIGHT).alias(_LEFT), _BOTH), allowMissingColumns=False
    )
    left = users_of.select(F.col(ITEM_ID).alias(_LEFT), F.col(_USERS).alias("left_users"))
    right = users_of.select(F.col(ITEM_ID).alias(_RIGHT), F.col(_USERS).alias("right_users"))
    scored = directed.join(F.broadcast(left), _LEFT, how="inner").join(F.broadcast(right), _RIGHT, how="inner")
    size = F.sqrt(F.col("left_users") * F.col("right_users")) + SHRINKAGE
    best = Window.partitionBy(ITEM_ID).orderBy(F.desc(SCORE), NEIGHBOUR_ID)
    return (
        scored.select(
            F.col(_LEFT).alias(ITEM_ID),
            F.col(_RIGHT).alias(NEIGHBOUR_ID),
            (F.col(_BOTH) / size).cast("float").alias(SCORE),
        )
        .withColumn(RANK, F.row_number().over(best))
        .where(F.col(RANK) <= NEIGHBOURS_AN_ITEM)
        .select(*NEIGHBOURS.column_names)
    )


def _baskets(pairs: DataFrame, items_per_user: int) -> DataFrame:
    latest = Window.partitionBy(USER_ID).orderBy(F.desc(LAST_AT), ITEM_ID)
    kept = pairs.withColumn(RANK, F.row_number().over(latest)).where(F.col(RANK) <= items_per_user)
    return kept.groupBy(USER_ID).agg(F.array_sort(F.collect_list(ITEM_ID)).alias(_ITEMS))


def _pairs_of(baskets: DataFrame) -> DataFrame:
    # Two explodes over a sorted array instead of a self-join: no second shuffle, and each pair comes once.
    firsts = baskets.select(_ITEMS, F.posexplode(_ITEMS).alias("place", _LEFT))
    rest = F.slice(_ITEMS, F.col("place") + 2, F.size(_ITEMS))
    both = firsts.select(_LEFT, F.explode(rest).alias(_RIGHT))
    return both.groupBy(_LEFT, _RIGHT).agg(F.count(F.lit(1)).alias(_BOTH))

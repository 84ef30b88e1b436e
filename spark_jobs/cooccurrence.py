"""Items that the same users touched: cosine of two items over their users, the best neighbours of each item."""

import math

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from contracts.lake import ITEM_ID, LAST_AT, NEIGHBOUR_ID, NEIGHBOURS, RANK, SCORE, USER_ID

NEIGHBOURS_AN_ITEM = 50
LEAST_SUPPORT = 2  # users that two items must share: one user proves nothing
SHRINKAGE = 5.0  # users added to the denominator, so that a rare pair does not look like a strong one
PAIR_BUDGET = 10_000_000  # pairs counted, about; it bounds the seconds whatever the number of users
LEAST_ITEMS, MOST_ITEMS = 20, 300
ROW = "row"
_ROWS, _PLACE, _PAIR, _LEFT, _RIGHT = "rows", "place", "pair", "left", "right"
_BOTH, _USERS, _LEFT_USERS, _RIGHT_USERS = "both", "users", "left_users", "right_users"


def items_a_user(user_count: int) -> int:
    """How many of a user's most recent items are paired, so that all pairs stay within the budget."""
    affordable = math.isqrt(2 * PAIR_BUDGET // max(user_count, 1))
    return min(max(affordable, LEAST_ITEMS), MOST_ITEMS)


def neighbours(pairs: DataFrame, item_rows: DataFrame, *, items_per_user: int) -> DataFrame:
    """Count users by pair of items and keep each item's best: rows of NEIGHBOURS, ties by row.

    `item_rows` maps each item to its row, in the order of ids. Score is
    both / (sqrt(left users x right users) + SHRINKAGE), over each user's `items_per_user` most recent items.
    Baskets are kept in memory until the session is told to forget them: three sums read them.
    """
    baskets = _baskets(pairs.join(F.broadcast(item_rows), ITEM_ID, how="inner"), items_per_user).persist()
    users_of = baskets.select(F.explode(_ROWS).alias(ROW)).groupBy(ROW).agg(F.count(F.lit(1)).alias(_USERS))
    left, right = (
        F.broadcast(users_of.select(F.col(ROW).alias(side), F.col(_USERS).alias(users)))
        for side, users in ((_LEFT, _LEFT_USERS), (_RIGHT, _RIGHT_USERS))
    )
    together = _both_ways(_pairs_of(baskets).where(F.col(_BOTH) >= LEAST_SUPPORT))
    counted = together.join(left, _LEFT, how="inner").join(right, _RIGHT, how="inner")
    cosine = F.col(_BOTH) / (F.sqrt(F.col(_LEFT_USERS) * F.col(_RIGHT_USERS)) + SHRINKAGE)
    best = Window.partitionBy(_LEFT).orderBy(F.desc(SCORE), _RIGHT)
    kept = counted.withColumn(SCORE, cosine.cast("float")).withColumn(RANK, F.row_number().over(best))
    return _named(kept.where(F.col(RANK) <= NEIGHBOURS_AN_ITEM), item_rows)


def _baskets(pairs: DataFrame, items_per_user: int) -> DataFrame:
    latest = Window.partitionBy(USER_ID).orderBy(F.desc(LAST_AT), ROW)
    kept = pairs.withColumn(RANK, F.row_number().over(latest)).where(F.col(RANK) <= items_per_user)
    return kept.groupBy(USER_ID).agg(F.array_sort(F.collect_list(ROW)).alias(_ROWS))


def _pairs_of(baskets: DataFrame) -> DataFrame:
    # Two explodes over a sorted array instead of a self-join: no second shuffle, and each pair comes once.
    firsts = baskets.select(_ROWS, F.posexplode(_ROWS).alias(_PLACE, _LEFT))
    rest = F.slice(_ROWS, F.col(_PLACE) + 2, F.size(_ROWS))
    packed = firsts.select(F.col(_LEFT).cast("bigint").alias(_LEFT), F.explode(rest).alias(_RIGHT))
    both = F.shiftleft(_LEFT, 32).bitwiseOR(F.col(_RIGHT).cast("bigint")).alias(_PAIR)  # one long hashes faster
    return packed.select(both).groupBy(_PAIR).agg(F.count(F.lit(1)).alias(_BOTH))


def _both_ways(counted: DataFrame) -> DataFrame:
    high, low = F.shiftright(_PAIR, 32).cast("int"), F.col(_PAIR).bitwiseAND(0xFFFFFFFF).cast("int")
    ways = F.array(
        F.struct(high.alias(_LEFT), low.alias(_RIGHT)),
        F.struct(low.alias(_LEFT), high.alias(_RIGHT)),
    )
    return counted.select(_BOTH, F.inline(ways))


def _named(kept: DataFrame, item_rows: DataFrame) -> DataFrame:
    lefts = item_rows.select(F.col(ROW).alias(_LEFT), ITEM_ID)
    rights = item_rows.select(F.col(ROW).alias(_RIGHT), F.col(ITEM_ID).alias(NEIGHBOUR_ID))
    named = kept.join(F.broadcast(lefts), _LEFT, how="inner").join(F.broadcast(rights), _RIGHT, how="inner")
    return named.select(*NEIGHBOURS.column_names)

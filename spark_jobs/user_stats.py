"""What is known of a user, point in time: the one definition of contracts.features.USER_STATS."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.features import USER_STATS_TABLE
from contracts.lake import CATEGORY, EVENT_COUNT, ITEM_ID, USER_ID, WEIGHT_SCALE
from spark_jobs.event_facts import (
    AT,
    DAY,
    PURCHASED,
    SESSION,
    SPENT,
    UNITS,
    daypart_counts,
    event_facts,
    named,
    ratio,
    shares,
    since,
)
from spark_jobs.window import DAY_SECONDS

_PURCHASES, _REPEATS, _TOTAL, _SPENT_30D = "purchases", "repeats", "user_event_count", "spent_30d"
_SESSIONS, _TOP = "sessions", "top_category"


def user_stats(events: DataFrame, pairs: DataFrame, items: DataFrame, *, as_of_at: int) -> DataFrame:
    """Count the window's events by user; `pairs` are the interactions of the same window.

    - counts: events of the window and of the last 7 and 30 days; distinct items; distinct categories
    - purchase share: purchases of events; repeat share: events beyond the first on an item, of events
    - first and last: epoch seconds; active days: distinct UTC days
    - session size: events a session; a session is cut at midnight, and events that name none are one a day
    - price mean: money over units of the purchases that state a value; value 30d: money of the last 30 days
    - top category share: events in the user's first category, of all events
    - daypart and weekend shares: of the window's events, in UTC
    """
    counted = _counts(event_facts(events), as_of_at).join(_breadth(pairs, items), USER_ID, how="inner")
    derived = {
        "user_purchase_share": ratio(_PURCHASES, _TOTAL),
        "user_repeat_share": ratio(_REPEATS, _TOTAL),
        "user_session_size": ratio(_TOTAL, _SESSIONS),
        "user_price_mean": ratio(SPENT, UNITS),
        "user_value_30d": F.col(_SPENT_30D) / WEIGHT_SCALE,
        "user_top_category_share": ratio(_TOP, _TOTAL),
    }
    stated = counted.select("*", *named(derived | shares("user", _TOTAL)))
    return stated.select(
        *(F.col(column.name).cast(column.type).alias(column.name) for column in USER_STATS_TABLE.columns)
    )


def _counts(facts: DataFrame, as_of_at: int) -> DataFrame:
    sums = {
        _TOTAL: F.count(F.lit(1)),
        "user_count_7d": F.count_if(since(as_of_at, 7 * DAY_SECONDS)),
        "user_count_30d": F.count_if(since(as_of_at, 30 * DAY_SECONDS)),
        _PURCHASES: F.count_if(PURCHASED),
        SPENT: F.sum(SPENT),
        UNITS: F.sum(UNITS),
        _SPENT_30D: F.sum(F.when(since(as_of_at, 30 * DAY_SECONDS), F.col(SPENT)).otherwise(0)),
        "user_first_at": F.unix_seconds(F.min(AT)),
        "user_last_at": F.unix_seconds(F.max(AT)),
    } | daypart_counts()
    # Distinct sessions and days by three sums over one shuffle: count(distinct) twice would copy every row.
    sessions = facts.repartition(USER_ID).groupBy(USER_ID, DAY, SESSION).agg(*named(sums))
    days = sessions.groupBy(USER_ID, DAY).agg(F.count(F.lit(1)).alias(_SESSIONS), *_again(sums))
    return days.groupBy(USER_ID).agg(
        F.count(F.lit(1)).alias("user_active_days"), F.sum(_SESSIONS).alias(_SESSIONS), *_again(sums)
    )


def _again(sums: dict[str, object]) -> list[object]:
    outer = {"user_first_at": F.min, "user_last_at": F.max}
    return [outer.get(name, F.sum)(name).alias(name) for name in sums]


def _breadth(pairs: DataFrame, items: DataFrame) -> DataFrame:
    categorised = pairs.join(items.select(ITEM_ID, CATEGORY), ITEM_ID, how="left")
    in_category = categorised.groupBy(USER_ID, CATEGORY).agg(
        F.count(F.lit(1)).alias("user_item_count"),
        F.sum(EVENT_COUNT).alias(EVENT_COUNT),
        F.sum(F.col(EVENT_COUNT) - 1).alias(_REPEATS),
    )
    return in_category.groupBy(USER_ID).agg(
        F.sum("user_item_count").alias("user_item_count"),
        F.sum(_REPEATS).alias(_REPEATS),
        F.count(CATEGORY).alias("user_category_count"),
        F.max(F.when(F.col(CATEGORY).isNotNull(), F.col(EVENT_COUNT))).alias(_TOP),
    )

"""What is known of an item, point in time: the one definition of contracts.features.ITEM_STATS."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from contracts.features import ITEM_STATS_TABLE
from contracts.lake import CATEGORY, COUNT_30D, EVENT_COUNT, ITEM_ID, PRICE
from spark_jobs.event_facts import (
    AT,
    PURCHASED,
    SPENT,
    UNITS,
    daypart_counts,
    event_facts,
    named,
    ratio,
    shares,
    since,
)
from spark_jobs.window import DAY_SECONDS, HOUR_SECONDS

_PURCHASES, _REPEATS, _TOTAL = "purchases", "repeats", "item_count_window"


def item_stats(events: DataFrame, pairs: DataFrame, items: DataFrame, *, as_of_at: int) -> DataFrame:
    """Count the window's events by item; `pairs` are the interactions of the same window.

    - counts: events of the last hour, day, 7 and 30 days, and of the window
    - user counts: distinct users of the window, and of the last 30 days
    - purchase share: purchases of events; repeat share: events beyond a user's first on the item, of events
    - price: money over units of the purchases that state a value, else the catalogue's, else missing
    - first and last: epoch seconds of the window's first and last event
    - category count and share: the category's events of 7 days; the item's part of the category's window
    - daypart and weekend shares: of the window's events, in UTC
    """
    counted = _counts(event_facts(events), as_of_at).join(_users(pairs), ITEM_ID, how="inner")
    known = counted.join(items.select(ITEM_ID, CATEGORY, PRICE), ITEM_ID, how="left")
    of_category = Window.partitionBy(CATEGORY)
    derived = {
        "item_purchase_share": ratio(_PURCHASES, _TOTAL),
        "item_repeat_share": ratio(_REPEATS, _TOTAL),
        "item_price": F.coalesce(ratio(SPENT, UNITS), F.col(PRICE)),
        "item_category_count_7d": _where_categorised(F.sum("item_count_7d").over(of_category)),
        "item_category_share": _where_categorised(F.try_divide(F.col(_TOTAL), F.sum(_TOTAL).over(of_category))),
    }
    stated = known.select("*", *named(derived | shares("item", _TOTAL)))
    return stated.select(
        *(F.col(column.name).cast(column.type).alias(column.name) for column in ITEM_STATS_TABLE.columns)
    )


def _counts(facts: DataFrame, as_of_at: int) -> DataFrame:
    sums = {
        "item_count_1h": F.count_if(since(as_of_at, HOUR_SECONDS)),
        "item_count_24h": F.count_if(since(as_of_at, DAY_SECONDS)),
        "item_count_7d": F.count_if(since(as_of_at, 7 * DAY_SECONDS)),
        "item_count_30d": F.count_if(since(as_of_at, 30 * DAY_SECONDS)),
        _TOTAL: F.count(F.lit(1)),
        _PURCHASES: F.count_if(PURCHASED),
        SPENT: F.sum(SPENT),
        UNITS: F.sum(UNITS),
        "item_first_at": F.unix_seconds(F.min(AT)),
        "item_last_at": F.unix_seconds(F.max(AT)),
    }
    return facts.groupBy(ITEM_ID).agg(*named(sums | daypart_counts()))


def _users(pairs: DataFrame) -> DataFrame:
    sums = {
        "item_user_count": F.count(F.lit(1)),
        "item_user_count_30d": F.count_if(F.col(COUNT_30D) > 0),
        _REPEATS: F.sum(F.col(EVENT_COUNT) - 1),
    }
    return pairs.groupBy(ITEM_ID).agg(*named(sums))


def _where_categorised(column: Column) -> Column:
    return F.when(F.col(CATEGORY).isNotNull(), column)

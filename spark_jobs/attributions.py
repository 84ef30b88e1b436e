"""What came of what was shown: each click and purchase is put down to one item of one impression.

A click or purchase fits an item shown to the same person (user id, or anonymous id) at or before it, within the
attribution window. One that names a recommendation (or an impression) fits that one alone. Of several that fit, the
last impression before it has it, ties by impression id.
"""

from dataclasses import dataclass
from datetime import timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from contracts.event_contract import CLICK
from contracts.features import ITEM_STATS, USER_STATS
from contracts.lake import (
    ANONYMOUS_ID,
    ATTRIBUTIONS,
    CLICKED_AT,
    CONTEXT,
    EVENT_ID,
    EVENT_TYPE,
    FEATURES,
    IMPRESSION_ID,
    INTERVAL,
    ITEM_ID,
    ITEM_IDS,
    OCCURRED_AT,
    POSITION,
    PURCHASE,
    PURCHASED_AT,
    RECOMMENDATION_ID,
    USER_ID,
    VALUE,
    VERSION,
)

_BEFORE = "before"
AT, PERSON, VERSION_HOUR, BOUGHT = "at", "person", "version_hour", "bought"
_PLACE, _ORDER, _NAMED_LIST, _NAMED_IMPRESSION = "place", "order", "named_list", "named_impression"
_ITEM_STATS, _USER_STATS = "item_stats", "user_stats"
_WHO = (USER_ID, ANONYMOUS_ID)


@dataclass(frozen=True, slots=True)
class Known:
    """What was known when a list was shown: statistics with VERSION_HOUR, of the version hours that are still kept.

    `before` has INTERVAL, IMPRESSION_ID, ITEM_ID and FEATURES of rows made before: of hours kept no more, those stay.
    """

    version_hours: tuple[str, ...]
    items: DataFrame
    users: DataFrame
    before: DataFrame


def shown_items(impressions: DataFrame) -> DataFrame:
    """One row an item of an impression, positions from 1; each impression id once an hour, each item once a list."""
    hour = F.date_format(OCCURRED_AT, "yyyy-MM-dd'T'HH")
    first = Window.partitionBy(INTERVAL, IMPRESSION_ID).orderBy(OCCURRED_AT, RECOMMENDATION_ID, F.hash(ITEM_IDS))
    once = impressions.withColumn(INTERVAL, hour).withColumn(_ORDER, F.row_number().over(first))
    exploded = once.where(F.col(_ORDER) == 1).select("*", F.posexplode(ITEM_IDS).alias(_PLACE, ITEM_ID))
    is_first = F.array_position(ITEM_IDS, F.col(ITEM_ID)) == F.col(_PLACE) + 1
    return exploded.where(is_first).withColumn(POSITION, F.col(_PLACE) + 1).drop(_ORDER, _PLACE, ITEM_IDS, CONTEXT)


def outcomes(events: DataFrame) -> DataFrame:
    """Clicks and purchases of an item, with the recommendation and the impression that they name."""
    wanted = events.where(F.col(EVENT_TYPE).isin(CLICK, PURCHASE) & F.col(ITEM_ID).isNotNull())
    return wanted.select(
        EVENT_ID,
        EVENT_TYPE,
        USER_ID,
        ITEM_ID,
        F.col(OCCURRED_AT).alias(AT),
        VALUE,
        _told(ANONYMOUS_ID).alias(ANONYMOUS_ID),
        _told(RECOMMENDATION_ID).alias(_NAMED_LIST),
        _told(IMPRESSION_ID).alias(_NAMED_IMPRESSION),
    )


def credited(shown: DataFrame, happened: DataFrame, window: timedelta) -> DataFrame:
    """First click and first purchase of each item shown that has any: INTERVAL, IMPRESSION_ID, ITEM_ID and when."""
    left = _by_person(shown.select(INTERVAL, IMPRESSION_ID, RECOMMENDATION_ID, *_WHO, ITEM_ID, OCCURRED_AT))
    pairs = left.join(_by_person(happened), [PERSON, ITEM_ID], how="inner").where(
        (F.col(AT) >= F.col(OCCURRED_AT))
        & (F.col(AT) < F.col(OCCURRED_AT) + F.lit(window))
        & F.coalesce(F.col(_NAMED_LIST) == F.col(RECOMMENDATION_ID), F.lit(True))
        & F.coalesce(F.col(_NAMED_IMPRESSION) == F.col(IMPRESSION_ID), F.lit(True))
    )
    last = Window.partitionBy(EVENT_ID).orderBy(AT, F.desc(OCCURRED_AT), IMPRESSION_ID)
    chosen = pairs.withColumn(_ORDER, F.row_number().over(last)).where(F.col(_ORDER) == 1)
    bought = F.when(F.col(EVENT_TYPE) == PURCHASE, F.struct(AT, EVENT_ID, VALUE))
    return chosen.groupBy(INTERVAL, IMPRESSION_ID, ITEM_ID).agg(
        F.min(F.when(F.col(EVENT_TYPE) == CLICK, F.col(AT))).alias(CLICKED_AT), F.min(bought).alias(BOUGHT)
    )


def attributions(shown: DataFrame, credits: DataFrame, known: Known) -> DataFrame:
    """Rows of ATTRIBUTIONS with their INTERVAL: items shown, what came of each, statistics of its version's hour.

    `shown` has VERSION and SOURCE.
    """
    items, users = known.items, known.users
    told = shown.withColumn(VERSION_HOUR, F.substring_index(VERSION, ".", 1))
    joined = (
        told.join(credits, [INTERVAL, IMPRESSION_ID, ITEM_ID], how="left")
        .join(known.before.withColumnRenamed(FEATURES, _BEFORE), [INTERVAL, IMPRESSION_ID, ITEM_ID], how="left")
        .join(items.select(VERSION_HOUR, ITEM_ID, _array(ITEM_STATS, _ITEM_STATS)), [VERSION_HOUR, ITEM_ID], how="left")
        .join(users.select(VERSION_HOUR, USER_ID, _array(USER_STATS, _USER_STATS)), [VERSION_HOUR, USER_ID], how="left")
    )
    features = F.concat(_or_unknown(_ITEM_STATS, len(ITEM_STATS)), _or_unknown(_USER_STATS, len(USER_STATS)))
    is_kept = F.col(VERSION_HOUR).isin(*known.version_hours)
    features = F.when(is_kept, features).otherwise(F.coalesce(_BEFORE, features))
    bought = {PURCHASED_AT: F.col(f"{BOUGHT}.{AT}"), VALUE: F.col(f"{BOUGHT}.{VALUE}"), FEATURES: features}
    stated = joined.withColumns(bought)
    return stated.select(
        INTERVAL, *(F.col(column.name).cast(column.type).alias(column.name) for column in ATTRIBUTIONS.columns)
    )


def _by_person(rows: DataFrame) -> DataFrame:
    """A row for each id that its person goes by."""
    known_by = [F.when(F.nullif(name, F.lit("")).isNotNull(), F.concat(F.lit(f"{name}:"), name)) for name in _WHO]
    return rows.withColumn(PERSON, F.explode(F.array_compact(F.array(*known_by)))).drop(*_WHO)


def _told(name: str) -> Column:
    return F.nullif(F.element_at(CONTEXT, name), F.lit(""))


def _array(names: tuple[str, ...], alias: str) -> Column:
    return F.array(*(F.coalesce(F.col(name).cast("float"), F.lit(float("nan"))) for name in names)).alias(alias)


def _or_unknown(name: str, size: int) -> Column:
    return F.coalesce(F.col(name), F.array_repeat(F.lit(float("nan")).cast("float"), size))

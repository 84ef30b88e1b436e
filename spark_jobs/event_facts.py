"""What statistics need of an event, worked out once a row."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.features import DAYPARTS
from contracts.lake import (
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    PURCHASE,
    QUANTITY,
    SESSION_ID,
    USER_ID,
    VALUE,
    WEIGHT_SCALE,
)
from spark_jobs.build_interactions import scaled
from spark_jobs.window import instant

AT, DAY, SESSION, DAYPART, WEEKEND = "at", "day", "session", "daypart", "weekend"
PURCHASED, SPENT, UNITS = "purchased", "spent_scaled", "units_scaled"
HOURS_A_DAYPART = 24 // len(DAYPARTS)


def event_facts(events: DataFrame) -> DataFrame:
    """One row an event: ids, instants and day, session (its day where none is named), purchase, money and units.

    Money and units count for purchases that state a value; a missing quantity is one unit.
    """
    paid = (F.col(EVENT_TYPE) == PURCHASE) & (scaled(VALUE) > 0)
    units = F.when(F.col(QUANTITY).isNull(), F.lit(WEIGHT_SCALE)).otherwise(scaled(QUANTITY))
    return events.select(
        USER_ID,
        ITEM_ID,
        F.col(OCCURRED_AT).alias(AT),
        F.unix_date(F.to_date(OCCURRED_AT)).alias(DAY),
        F.xxhash64(F.coalesce(SESSION_ID, F.lit(""))).alias(SESSION),
        F.floor(F.hour(OCCURRED_AT) / HOURS_A_DAYPART).cast("int").alias(DAYPART),
        (F.weekday(OCCURRED_AT) >= 5).alias(WEEKEND),
        (F.col(EVENT_TYPE) == PURCHASE).alias(PURCHASED),
        F.when(paid, scaled(VALUE)).otherwise(0).alias(SPENT),
        F.when(paid, units).otherwise(0).alias(UNITS),
    )


def since(as_of_at: int, seconds: int) -> Column:
    """Whether an event lies within the last `seconds` before `as_of_at`."""
    return F.col(AT) >= instant(as_of_at - seconds)


def daypart_counts() -> dict[str, Column]:
    """Events a part of the day, and on weekends, under the parts' names."""
    counts = {part: F.count_if(F.col(DAYPART) == number) for number, part in enumerate(DAYPARTS)}
    return counts | {WEEKEND: F.count_if(WEEKEND)}


def shares(prefix: str, total: str) -> dict[str, Column]:
    """The counts of `daypart_counts` as shares of `total`, named as statistics are."""
    return {f"{prefix}_{part}_share": ratio(part, total) for part in (*DAYPARTS, WEEKEND)}


def ratio(part: str, whole: str) -> Column:
    """One whole number over another; missing where the latter is zero."""
    return F.try_divide(F.col(part).cast("double"), F.col(whole).cast("double"))


def named(columns: dict[str, Column]) -> list[Column]:
    """Columns under their names."""
    return [column.alias(name) for name, column in columns.items()]

"""Build interactions: one row a user and item with all that is known of the pair, as of the interval's end."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.event_weights import parse_event_weights
from contracts.lake import (
    COUNT_30D,
    EVENT_COUNT,
    EVENT_TYPE,
    FIRST_AT,
    INTERACTIONS,
    ITEM_ID,
    LAST_AT,
    OCCURRED_AT,
    PURCHASE,
    PURCHASE_COUNT,
    USER_ID,
    VALUE,
    VALUE_SUM,
    WEIGHT,
    WEIGHT_SCALE,
)
from contracts.settings import Settings
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.outputs import JobNote
from spark_jobs.partitions import save_frame
from spark_jobs.window import DAY_SECONDS, instant, read_window, window_digest

JOB = "build_interactions"
UNNAMED_WEIGHT = 1.0


def run(context: JobContext) -> None:
    """Write the interval's partition of interactions."""
    watch = Stopwatch()
    inputs = {"clean_events": window_digest(context, context.end_seconds)}
    pairs = interactions(read_window(context, context.end_seconds), context.settings, as_of_at=context.end_seconds)
    save_frame(context, pairs, table=INTERACTIONS, note=JobNote(JOB, watch, inputs))


def interactions(events: DataFrame, settings: Settings, *, as_of_at: int) -> DataFrame:
    """Sum events a user and item; weights halve every half-life before `as_of_at` (epoch seconds).

    Weights and values are rounded to 1 / WEIGHT_SCALE an event before they are summed, so that no order of
    addition shows. `value_scaled` is what was spent: purchases only, since a rating's value is no money.
    """
    recent = F.col(OCCURRED_AT) >= instant(as_of_at - 30 * DAY_SECONDS)
    purchased = F.col(EVENT_TYPE) == PURCHASE
    decay = F.pow(F.lit(0.5), (F.lit(as_of_at) - F.unix_seconds(OCCURRED_AT)) / (settings.half_life_days * DAY_SECONDS))
    weight = F.round(type_weight(settings) * decay * WEIGHT_SCALE).cast("bigint")
    sums = events.groupBy(USER_ID, ITEM_ID).agg(
        F.sum(weight).alias(WEIGHT),
        F.count(F.lit(1)).cast("int").alias(EVENT_COUNT),
        F.count_if(purchased).cast("int").alias(PURCHASE_COUNT),
        F.count_if(recent).cast("int").alias(COUNT_30D),
        F.unix_seconds(F.min(OCCURRED_AT)).alias(FIRST_AT),
        F.unix_seconds(F.max(OCCURRED_AT)).alias(LAST_AT),
        F.sum(F.when(purchased, scaled(VALUE)).otherwise(0)).alias(VALUE_SUM),
    )
    return sums.select(*INTERACTIONS.column_names)


def scaled(column: str) -> Column:
    """A number as a whole count of 1 / WEIGHT_SCALE; missing and NaN are none."""
    return F.coalesce(
        F.round(F.nanvl(F.col(column), F.lit(0.0)) * WEIGHT_SCALE).cast("bigint"), F.lit(0).cast("bigint")
    )


def type_weight(settings: Settings) -> Column:
    """Weight of an event by its type, as the settings say."""
    weight = F.lit(UNNAMED_WEIGHT)
    for name, value in parse_event_weights(settings.event_weights).items():
        weight = F.when(F.col(EVENT_TYPE) == name, F.lit(value)).otherwise(weight)
    return weight


if __name__ == "__main__":
    run_alone(run, spark=True)

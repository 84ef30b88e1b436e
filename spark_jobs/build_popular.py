"""Build popular lists (overall, trending, by region, category, segment) and the items similar to popular ones."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from contracts.features import ITEM_STATS_TABLE
from contracts.lake import (
    BY_CATEGORY,
    BY_REGION,
    BY_SEGMENT,
    CATEGORY,
    HEAD_ITEMS,
    INTERACTIONS,
    ITEM_ID,
    ITEM_IDS,
    ITEMS,
    KEY,
    NEIGHBOUR_ID,
    NEIGHBOURS,
    OVERALL,
    POPULAR,
    RANK,
    REGION,
    SCOPE,
    SCORE,
    SCORES,
    SEGMENT,
    SEGMENTS,
    SIMILAR,
    TRENDING,
    USER_ID,
    WEIGHT,
    WEIGHT_SCALE,
)
from spark_jobs.catalogue import unavailable_items
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.outputs import JobNote, input_digests
from spark_jobs.partitions import read_interval, save_frame

JOB = "build_popular"
_RANKED = "ranked"


def run(context: JobContext) -> None:
    """Write the interval's partitions of popular and similar."""
    _save_popular(context)
    _save_similar(context)


def popularity(pairs: DataFrame, segments: DataFrame, stats: DataFrame) -> DataFrame:
    """Summed decayed weight of each item in each scope and key; items that `stats` lacks are left out."""
    people = segments.select(USER_ID, REGION, SEGMENT)
    summed = pairs.join(people, USER_ID, how="left").groupBy(REGION, SEGMENT, ITEM_ID).agg(F.sum(WEIGHT).alias(WEIGHT))
    known = summed.join(F.broadcast(stats.select(ITEM_ID, CATEGORY)), ITEM_ID, how="inner")
    scopes = F.array(
        _scope(OVERALL, F.lit("")),
        _scope(BY_REGION, F.col(REGION)),
        _scope(BY_CATEGORY, F.col(CATEGORY)),
        _scope(BY_SEGMENT, F.col(SEGMENT)),
    )
    scoped = known.select(ITEM_ID, WEIGHT, F.inline(scopes)).where(F.col(KEY).isNotNull())
    return scoped.groupBy(SCOPE, KEY, ITEM_ID).agg((F.sum(WEIGHT) / WEIGHT_SCALE).alias(SCORE))


def trend(stats: DataFrame) -> DataFrame:
    """How far each item's last day stands above the daily mean of the six days before, in deviations of a count."""
    day, week = F.col("item_count_24h"), F.col("item_count_7d")
    usual = (week - day) / 6
    score = (day - usual) / F.sqrt(usual + 1)
    return stats.select(ITEM_ID, F.lit(TRENDING).alias(SCOPE), F.lit("").alias(KEY), score.alias(SCORE))


def top_lists(scored: DataFrame, *, size: int) -> DataFrame:
    """The best items of each scope and key as rows of POPULAR, best first, ties by id."""
    best = Window.partitionBy(SCOPE, KEY).orderBy(F.desc(SCORE), ITEM_ID)
    kept = scored.withColumn(RANK, F.row_number().over(best)).where(F.col(RANK) <= size)
    return _as_lists(kept, SCOPE, KEY, item=ITEM_ID).select(*POPULAR.column_names)


def similar(near: DataFrame, head_items: DataFrame, *, size: int) -> DataFrame:
    """The neighbours of each head item as rows of SIMILAR, best first."""
    wanted = near.join(F.broadcast(head_items.select(ITEM_ID)), ITEM_ID, how="left_semi").where(F.col(RANK) <= size)
    return _as_lists(wanted, ITEM_ID, item=NEIGHBOUR_ID).select(*SIMILAR.column_names)


def _save_popular(context: JobContext) -> None:
    watch = Stopwatch()
    inputs = input_digests(context, INTERACTIONS, SEGMENTS, ITEM_STATS_TABLE, ITEMS)
    missing = sorted(unavailable_items(context.lake))
    stats = read_interval(context, ITEM_STATS_TABLE)
    if missing:
        gone = context.session.createDataFrame([(item,) for item in missing], f"`{ITEM_ID}` string")
        stats = stats.join(F.broadcast(gone), ITEM_ID, how="left_anti")
    scored = popularity(read_interval(context, INTERACTIONS), read_interval(context, SEGMENTS), stats)
    lists = top_lists(scored.unionByName(trend(stats)), size=context.settings.list_size)
    save_frame(context, lists, table=POPULAR, note=JobNote(JOB, watch, inputs))


def _save_similar(context: JobContext) -> None:
    watch = Stopwatch()
    inputs = input_digests(context, NEIGHBOURS, HEAD_ITEMS)
    near, head = read_interval(context, NEIGHBOURS), read_interval(context, HEAD_ITEMS)
    lists = similar(near, head, size=context.settings.list_size)
    save_frame(context, lists, table=SIMILAR, note=JobNote(JOB, watch, inputs))


def _as_lists(ranked: DataFrame, *by: str, item: str) -> DataFrame:
    rows = F.sort_array(
        F.collect_list(F.struct(RANK, F.col(item).alias(ITEM_ID), F.col(SCORE).cast("float").alias(SCORE)))
    )
    collected = ranked.groupBy(*by).agg(rows.alias(_RANKED))
    lists = (F.col(f"{_RANKED}.{ITEM_ID}").alias(ITEM_IDS), F.col(f"{_RANKED}.{SCORE}").alias(SCORES))
    return collected.select(*by, *lists)


def _scope(scope: str, key: Column) -> Column:
    return F.struct(F.lit(scope).alias(SCOPE), key.alias(KEY))


if __name__ == "__main__":
    run_alone(run, spark=True)

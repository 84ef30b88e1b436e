"""Leave out of any rows what people did who asked to be forgotten, up to the instant of asking."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.lake import FORGOTTEN_AT, OCCURRED_AT, TOMBSTONES, USER_ID
from spark_jobs.context import JobContext
from spark_jobs.held_files import hold
from spark_jobs.partitions import read_folder


def without_forgotten(context: JobContext, rows: DataFrame) -> DataFrame:
    """Rows less those of people forgotten at or after the row's `occurred_at`; rows without a user stay."""
    files = hold(context.lake, TOMBSTONES.path(context.lake))
    if not files:
        return rows
    stones = read_folder(context, TOMBSTONES, *files).groupBy(USER_ID).agg(F.max(FORGOTTEN_AT).alias(FORGOTTEN_AT))
    gone = (rows[USER_ID] == stones[USER_ID]) & (rows[OCCURRED_AT] <= stones[FORGOTTEN_AT])
    return rows.join(F.broadcast(stones), gone, how="left_anti")

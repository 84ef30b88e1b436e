"""Build features: the statistics of items and of users, as of the interval's end."""

from contracts.features import ITEM_STATS_TABLE, USER_STATS_TABLE
from contracts.lake import INTERACTIONS, ITEMS
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.item_stats import item_stats
from spark_jobs.outputs import JobNote, input_digests
from spark_jobs.partitions import read_interval, read_snapshot, save_frame
from spark_jobs.user_stats import user_stats
from spark_jobs.window import read_window, window_digest

JOB = "build_features"


def run(context: JobContext) -> None:
    """Write the interval's partitions of item_stats and user_stats."""
    inputs = {"clean_events": window_digest(context, context.end_seconds)}
    inputs |= input_digests(context, INTERACTIONS, ITEMS)
    events, as_of_at = read_window(context, context.end_seconds), context.end_seconds
    pairs, items = read_interval(context, INTERACTIONS), read_snapshot(context, ITEMS)
    for table, statistics in ((ITEM_STATS_TABLE, item_stats), (USER_STATS_TABLE, user_stats)):
        watch = Stopwatch()
        frame = statistics(events, pairs, items, as_of_at=as_of_at)
        save_frame(context, frame, table=table, note=JobNote(JOB, watch, inputs))


if __name__ == "__main__":
    run_alone(run, spark=True)

"""Select the head: the most active users, who get precomputed lists, and the most popular items that can be had."""

import math

import pyarrow as pa
import pyarrow.compute as pc

from contracts.lake import ACTIVITY, HEAD_ITEMS, HEAD_USERS, INTERACTIONS, ITEM_ID, ITEMS, RANK, USER_ID, WEIGHT, Table
from models.tables import read_partition
from spark_jobs.catalogue import unavailable_items
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.outputs import JobNote, input_digests, save_arrow

JOB = "select_head"
KNOWN, SHARE = "known", "share"  # figures of the manifest


def run(context: JobContext) -> None:
    """Write the interval's partitions of head_users and head_items."""
    pairs = read_partition(INTERACTIONS, context.tables, context.key, columns=[USER_ID, ITEM_ID, WEIGHT])
    delisted = pa.array(sorted(unavailable_items(context.lake)), pa.string())
    offered = pairs.filter(pc.invert(pc.is_in(pairs[ITEM_ID], delisted)))
    users, items = rank_by_activity(pairs, USER_ID), rank_by_activity(offered, ITEM_ID)
    _save(context, HEAD_USERS, users, count=math.ceil(context.settings.head_share * users.num_rows))
    _save(context, HEAD_ITEMS, items, count=context.settings.head_items)


def rank_by_activity(pairs: pa.Table, id_column: str) -> pa.Table:
    """Columns id, rank from 1, activity (summed decayed weight): most active first, ties by id."""
    sums = pairs.group_by(id_column).aggregate([(WEIGHT, "sum")]).rename_columns({f"{WEIGHT}_sum": ACTIVITY})
    ordered = sums.sort_by([(ACTIVITY, "descending"), (id_column, "ascending")])
    return ordered.append_column(RANK, pa.array(range(1, ordered.num_rows + 1), pa.int32()))


def _save(context: JobContext, table: Table, ranked: pa.Table, *, count: int) -> None:
    watch, head = Stopwatch(), ranked.slice(0, count)
    figures = {KNOWN: ranked.num_rows, SHARE: round(head.num_rows / max(ranked.num_rows, 1), 6)}
    note = JobNote(JOB, watch, input_digests(context, INTERACTIONS, ITEMS), figures)
    save_arrow(context, head, table=table, note=note)


if __name__ == "__main__":
    run_alone(run, spark=False)

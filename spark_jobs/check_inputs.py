"""What the check looks at: the hour's lists, what is known of its items and users, and the lists that serve now."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from contracts.features import ITEM_STATS_TABLE
from contracts.lake import (
    CLEAN_EVENTS,
    EVENT_TYPE,
    HEAD_USERS,
    ITEM_ID,
    ITEMS,
    LISTS,
    OCCURRED_AT,
    POPULAR,
    SIMILAR,
    USER_ID,
)
from contracts.manifest import FILE_NAME
from contracts.redis_layout import Pointer
from models.tables import read_partition
from spark_jobs.catalogue import unavailable_items
from spark_jobs.context import JobContext
from spark_jobs.counted_events import is_counted


@dataclass(frozen=True, slots=True)
class Hour:
    """What one hour would serve, and what it is held against; `offered` counts the items that a list may hold."""

    lists: pa.Table
    popular: pa.Table
    similar: pa.Table
    head: pa.Table
    known: pa.Array
    offered: int
    served: pa.Table | None
    truths: dict[str, set[str]]


def read_hour(context: JobContext, pointer: Pointer | None) -> Hour:
    """Read the hour's partitions and the lists that serve now, where the lake still has them."""
    lake, key = context.lake, context.key
    items = [read_partition(ITEM_STATS_TABLE, lake, key, columns=[ITEM_ID]).column(ITEM_ID)]
    unavailable = pa.array(sorted(unavailable_items(lake)), pa.string())
    if any(ITEMS.path(lake).glob("*.parquet")):
        items.append(read_partition(ITEMS, lake, columns=[ITEM_ID]).column(ITEM_ID))
    lists = read_partition(LISTS, lake, key)
    return Hour(
        lists=lists,
        popular=read_partition(POPULAR, lake, key),
        similar=read_partition(SIMILAR, lake, key),
        head=read_partition(HEAD_USERS, lake, key, columns=[USER_ID]),
        known=pc.unique(pa.chunked_array([chunk for column in items for chunk in column.chunks], pa.string())),
        offered=pc.sum(pc.invert(pc.is_in(items[0], unavailable))).as_py() or 0,
        served=_served(context, pointer),
        truths=_truths(context, lists),
    )


def _truths(context: JobContext, lists: pa.Table) -> dict[str, set[str]]:
    """Items that users with a list showed interest in, in the hour itself."""
    day = context.interval.start_at.strftime("%Y-%m-%d")
    if not (CLEAN_EVENTS.partition(context.lake, day) / FILE_NAME).exists():
        return {}
    events = read_partition(CLEAN_EVENTS, context.lake, day, columns=[USER_ID, ITEM_ID, EVENT_TYPE, OCCURRED_AT])
    at, kind = events.column(OCCURRED_AT), events.schema.field(OCCURRED_AT).type
    start, end = (pa.scalar(bound, kind) for bound in (context.interval.start_at, context.interval.end_at))
    within = pc.and_(pc.greater_equal(at, start), pc.less(at, end))
    listed = pc.is_in(events.column(USER_ID), lists.column(USER_ID).combine_chunks())
    truths: dict[str, set[str]] = {}
    chosen = events.filter(pc.and_(pc.and_(within, listed), is_counted(events, context.settings.event_weights)))
    for user, item in zip(chosen.column(USER_ID).to_pylist(), chosen.column(ITEM_ID).to_pylist(), strict=True):
        truths.setdefault(user, set()).add(item)
    return truths


def _served(context: JobContext, pointer: Pointer | None) -> pa.Table | None:
    if pointer is None or not (LISTS.partition(context.lake, pointer.interval) / FILE_NAME).exists():
        return None
    return read_partition(LISTS, context.lake, pointer.interval)

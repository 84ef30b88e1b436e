"""Interactions and statistics of people, laid into a lake as the hour leaves them."""

from typing import Any

import pyarrow as pa

from contracts import lake
from contracts.features import USER_STATS
from contracts.lake import LAST_AT, USER_ID, Table
from contracts.manifest import Manifest
from models.tables import arrow_schema, write_partition
from spark_jobs.context import JobContext

Row = dict[str, Any]


def pair(user: str, item: str, *, at: int) -> Row:
    counts = {lake.EVENT_COUNT: at % 7 + 1, lake.PURCHASE_COUNT: at % 3, lake.COUNT_30D: at % 2}
    sums = {lake.WEIGHT: at * 5 % 9_000_000, lake.VALUE_SUM: at * 3 % 500}
    return {USER_ID: user, lake.ITEM_ID: item, lake.FIRST_AT: at - at % 9, LAST_AT: at, **counts, **sums}


def stats_of(pairs: list[Row]) -> list[Row]:
    users = {row[USER_ID] for row in pairs}
    own = {user: [row for row in pairs if row[USER_ID] == user] for user in users}
    known = {"user_item_count": len, "user_first_at": lambda rows: float(min(row[lake.FIRST_AT] for row in rows))}
    return [
        {USER_ID: user} | {name: float(known[name](own[user])) if name in known else None for name in USER_STATS}
        for user in sorted(users)
    ]


def lay(context: JobContext, table: Table, rows: list[Row]) -> None:
    data = pa.Table.from_pylist(rows, schema=arrow_schema(table))
    digest = write_partition(table, data, context.tables, context.key)
    Manifest("test", len(rows), digest).write(table.partition(context.tables, context.key))

"""A tiny lake as score_head, build_popular and build_segments leave it, with a passed check."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from contracts import lake as columns
from contracts.intervals import Interval
from contracts.lake import LISTS, POPULAR, SEGMENTS, SIMILAR, Table
from contracts.manifest import Manifest
from contracts.settings import Layout, Settings
from models.tables import arrow_schema, write_partition
from spark_jobs.context import JobContext
from spark_jobs.passed_check import check_folder, checked_digests

SEVEN, EIGHT, NINE = "2026-01-31T07", "2026-01-31T08", "2026-01-31T09"
ITEMS = ("apple", "bread", "cheese")
USERS = ("ann", "bob", "cid:{1}", "dörte/ü")


def make_context(root: Path, interval_key: str, **settings: object) -> JobContext:
    """The context of one hour over a root."""
    return JobContext(Interval.of_key(interval_key), Settings(root=root, **settings))  # type: ignore[arg-type]


def write_rows(root: Path, table: Table, interval_key: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a partition with its manifest."""
    data = pa.Table.from_pylist([dict(row) for row in rows], schema=arrow_schema(table))
    lake = Layout(root).lake
    digest = write_partition(table, data, lake, interval_key)
    Manifest("test", data.num_rows, digest).write(table.partition(lake, interval_key))


def write_hour(root: Path, interval_key: str, *, users: Sequence[str] = USERS, items: Sequence[str] = ITEMS) -> None:
    """Write the four partitions that a version is made of; users' lists turn the items by the user's place."""
    lists = [(user, _turned(items, place)) for place, user in enumerate(users)]
    scores = [round(2.5 - place, 3) for place in range(len(items))]
    write_rows(
        root, LISTS, interval_key, [dict(zip(LISTS.column_names, (u, ids, scores), strict=True)) for u, ids in lists]
    )
    write_rows(
        root,
        POPULAR,
        interval_key,
        [
            dict(zip(POPULAR.column_names, (scope, key, list(items), scores), strict=True))
            for scope, key in ((columns.OVERALL, ""), (columns.TRENDING, ""), (columns.BY_REGION, "north"))
        ],
    )
    similar = [(item, [other for other in items if other != item]) for item in items]
    write_rows(
        root,
        SIMILAR,
        interval_key,
        [dict(zip(SIMILAR.column_names, (item, ids, scores[1:]), strict=True)) for item, ids in similar],
    )
    known = (*users, "tail-user")
    write_rows(
        root,
        SEGMENTS,
        interval_key,
        [
            dict(zip(SEGMENTS.column_names, (u, "high", "new", "low", 0, "high-new", "north"), strict=True))
            for u in known
        ],
    )


def pass_check(root: Path, interval_key: str) -> None:
    """Leave the note of a passed check for what lies there now."""
    lake = Layout(root).lake
    folder = check_folder(lake, interval_key)
    folder.mkdir(parents=True, exist_ok=True)
    Manifest("check", 0, "", inputs=checked_digests(lake, interval_key)).write(folder)


def ready_hour(root: Path, interval_key: str, *, users: Sequence[str] = USERS) -> None:
    """An hour that may be published."""
    write_hour(root, interval_key, users=users)
    pass_check(root, interval_key)


def _turned(items: Sequence[str], by: int) -> list[str]:
    by %= len(items)
    return [*items[by:], *items[:by]]

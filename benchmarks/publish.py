"""Publishing lists: users a second of the whole publish step, over a plain redis-py pipeline in the same run."""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import redis
import typer

from benchmarks.report import Figure, show
from contracts.answers import AnswerHead, encode_answer
from contracts.intervals import Interval, format_instant
from contracts.lake import ITEM_IDS, LISTS, OVERALL, POPULAR, SCORES, SEGMENTS, SIMILAR, USER_ID, Table
from contracts.manifest import Manifest
from contracts.redis_layout import list_key
from contracts.settings import Layout, Settings
from headrace.embedded_redis import start
from models.tables import arrow_schema, read_partition, write_partition
from spark_jobs.context import JobContext
from spark_jobs.passed_check import check_folder, checked_digests
from spark_jobs.publish import publish
from spark_jobs.redis_store import open_store
from spark_jobs.redis_writer import PackedWriter
from spark_jobs.version_entries import HEAD_REASON, KINDS, VersionName, entries_of
from spark_jobs.versions import roll_back

INTERVAL = Interval.of_key("2026-01-31T07")
LIST_SIZE, ITEMS, PIPELINE_COMMANDS = 50, 20_000, 1_000
GOAL, STRETCH = 2.0, 4.0


def main(users: int = 40_000, rounds: int = 5, unix_socket: bool = False) -> None:
    """Publish lists of 50 items (some 2 KB) for `users`; medians of `rounds`, the two taking turns."""
    folder = Path(tempfile.mkdtemp(prefix="hrpub"))
    try:
        write_hour(folder, users)
        with start(folder / "redis", unix_socket=unix_socket) as server:
            measure(Settings(root=folder, redis_url=server.url), users, rounds)
    finally:
        shutil.rmtree(folder)


def measure(settings: Settings, users: int, rounds: int) -> None:
    """Time every way in turn, and show the ratios."""
    context = JobContext(INTERVAL, settings)
    entries = list(entries_of(KINDS[-1], context.lake, interval_key=context.key, name=VersionName("v", "now")))
    ways: dict[str, Callable[[], None]] = {
        "pipeline": lambda: plain_pipeline(context),
        "publish": lambda: publish(context, republish=True) and None,
        "pipeline, values ready": lambda: pipeline_of(settings, iter(entries)),
        "packed, values ready": lambda: packed_of(settings, entries),
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            speeds[name].append(_speed(way, settings, users))
    publish(context)
    publish(context)
    began = time.perf_counter()
    roll_back(settings)
    rollback_ms = (time.perf_counter() - began) * 1e3
    median = {name: statistics.median(values) for name, values in speeds.items()}
    value_bytes = round(statistics.mean(len(value) for _, value in entries))
    _show(
        median, rollback_ms, {"users": users, "bytes a list": value_bytes, "rounds": rounds, "url": settings.redis_url}
    )


def plain_pipeline(context: JobContext) -> None:
    """What one would write first: read the table, encode each answer, SET in pipelines of a thousand."""
    head = ("head", HEAD_REASON, f"{context.key}.0", format_instant(context.interval.end_at))

    def entries() -> Iterator[tuple[str, bytes]]:
        rows = read_partition(LISTS, context.lake, context.key)
        for user, items, scores in zip(*(rows.column(name).to_pylist() for name in LISTS.column_names), strict=True):
            yield list_key(head[2], user), encode_answer(AnswerHead(user, *head), items, scores)

    pipeline_of(context.settings, entries())


def pipeline_of(settings: Settings, entries: Iterator[tuple[str, bytes]]) -> None:
    """SET … EX through redis-py's pipeline."""
    with redis.Redis.from_url(settings.redis_url) as client:
        pipeline = client.pipeline(transaction=False)
        for place, (key, value) in enumerate(entries, 1):
            pipeline.set(key, value, ex=settings.list_ttl_seconds)
            if place % PIPELINE_COMMANDS == 0:
                pipeline.execute()
        pipeline.execute()


def packed_of(settings: Settings, entries: list[tuple[str, bytes]]) -> None:
    """The same commands through the packed writer."""
    with open_store(settings) as store, PackedWriter(store) as writer:
        writer.write(entries, settings.list_ttl_seconds)


def write_hour(root: Path, users: int) -> None:
    """An hour of random lists with a passed check."""
    rng, lake = np.random.default_rng(7), Layout(root).lake
    items = pa.array([f"item-{row}" for row in range(ITEMS)])
    flat = items.take(pa.array(rng.integers(0, ITEMS, users * LIST_SIZE)))
    scores = -np.sort(-rng.normal(0, 2, (users, LIST_SIZE)).astype(np.float32), axis=1)
    offsets = pa.array(np.arange(0, users * LIST_SIZE + 1, LIST_SIZE, dtype=np.int32))
    lists = pa.table(
        {
            USER_ID: pa.array([f"user-{row}" for row in range(users)]),
            ITEM_IDS: pa.ListArray.from_arrays(offsets, flat),
            SCORES: pa.ListArray.from_arrays(offsets, pa.array(scores.ravel())),
        }
    )
    _save(lake, LISTS, lists)
    overall = dict(zip(POPULAR.column_names, (OVERALL, "", ["item-0"], [1.0]), strict=True))
    for table, rows in ((POPULAR, [overall]), (SIMILAR, []), (SEGMENTS, [])):  # lists are what is measured
        _save(lake, table, pa.Table.from_pylist(rows, schema=arrow_schema(table)))
    folder = check_folder(lake, INTERVAL.key)
    folder.mkdir(parents=True)
    Manifest("check", users, "", inputs=checked_digests(lake, INTERVAL.key)).write(folder)


def _save(lake: Path, table: Table, rows: pa.Table) -> None:
    digest = write_partition(table, rows, lake, INTERVAL.key)
    Manifest("bench", rows.num_rows, digest).write(table.partition(lake, INTERVAL.key))


def _speed(way: Callable[[], None], settings: Settings, users: int) -> float:
    with redis.Redis.from_url(settings.redis_url) as client:
        client.flushall()
    began = time.perf_counter()
    way()
    return users / (time.perf_counter() - began)


def _show(median: dict[str, float], rollback_ms: float, conditions: dict[str, object]) -> None:
    figures = []
    for ours, theirs in (("publish", "pipeline"), ("packed, values ready", "pipeline, values ready")):
        ratio = median[ours] / median[theirs]
        goal = f"≥ {GOAL:g}, stretch {STRETCH:g}" if ours == "publish" else ""
        met = ratio >= GOAL if ours == "publish" else None
        figures.append(
            Figure(ours, f"{median[ours]:,.0f} users/s", f"{theirs}: {median[theirs]:,.0f}", ratio, goal, met)
        )
    figures.append(Figure("rollback", f"{rollback_ms:.1f} ms", "", None, "< 1 s", rollback_ms < 1_000))
    show("publish", figures, conditions)


if __name__ == "__main__":
    typer.run(main)

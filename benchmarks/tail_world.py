"""Real people as an installation that ran: a lake, a trained ranker and session model, and an hour's candidates.

The lake is imported and the jobs run as they would be; what they leave is kept in a folder, so that only the first run
pays for Spark. People who shall be new are left out of all of it.
"""

import logging
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.intervals import Interval
from contracts.lake import (
    CONTEXT,
    EVENT_ID,
    EVENT_TYPE,
    ITEM_ID,
    ITEMS,
    OCCURRED_AT,
    QUANTITY,
    SESSION_ID,
    USER_ID,
    USERS,
    VALUE,
)
from contracts.settings import Settings
from headrace.sample import Sample, package_folder, read_sample
from ingest.lay_events import lay_rows
from ingest.schemas import EVENTS_SCHEMA, ITEMS_SCHEMA, USERS_SCHEMA
from ingest.scratch import open_scratch
from ingest.snapshots import merge_snapshot
from models.two_stage import Bundle, load_bundle
from spark_jobs import (
    build_features,
    build_interactions,
    build_training_set,
    clean_events,
    train_candidates,
    train_ranker,
    train_session,
)
from spark_jobs.context import JobContext
from spark_jobs.rankers import ranker_of, session_model_of

KNOWN_PEOPLE, NEW_PEOPLE, SEED = 1_000, 400, 7
SHOP_END = datetime(2017, 10, 22, tzinfo=UTC)
CLICKS_END = datetime(2020, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Ran:
    """An installation after its training and its hour."""

    context: JobContext
    bundle: Bundle


def shop_people(sample: Sample) -> tuple[list[str], list[str]]:
    """Households that the models know, and others that they never saw; drawn, the same each time."""
    users = np.array(sorted(sample.users[USER_ID].to_pylist()))
    np.random.default_rng(SEED).shuffle(users)
    return users[NEW_PEOPLE : NEW_PEOPLE + KNOWN_PEOPLE].tolist(), users[:NEW_PEOPLE].tolist()


def real_shop(root: Path) -> tuple[Ran, pa.Table]:
    """Complete Journey up to SHOP_END for some of its households; and what the others bought after it."""
    sample = read_sample(package_folder())
    known, new = shop_people(sample)
    ran = run_installation(replace(sample, events=_of(sample.events, known)), root, SHOP_END)
    later = _of(sample.events, new)
    return ran, later.filter(pc.greater_equal(later[OCCURRED_AT], pa.scalar(SHOP_END, later[OCCURRED_AT].type)))


def real_clicks(file: Path, root: Path) -> tuple[Ran, pa.Table]:
    """Sessions of the parts train and valid, each a person of its own; and the rows of part test."""
    rows = pq.read_table(file)
    split = rows["split"].cast(pa.string())
    past = rows.filter(pc.not_equal(split, "test"))
    sample = Sample(_clicks(past), ITEMS_SCHEMA.empty_table(), USERS_SCHEMA.empty_table())
    return run_installation(sample, root, CLICKS_END), rows.filter(pc.equal(split, "test"))


def run_installation(sample: Sample, root: Path, end_at: datetime) -> Ran:
    """Import, train on the day that ends with the hour, and make the hour's candidates, unless that was done."""
    settings = Settings(root=root, spark_master="local[2]", spark_shuffle_partitions=4)
    context = JobContext(Interval.ending_at(end_at), settings, cold=True)
    if not (root / FINISHED).exists():
        shutil.rmtree(root, ignore_errors=True)
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        _import(sample, settings)
        _run_jobs(context)
        (root / FINISHED).touch()
    cache, count = context.layout.cache, settings.candidate_count
    return Ran(
        context,
        load_bundle(context.candidate_bundle, ranker_of(context), cache, count, session_model_of(context)),
    )


def _import(sample: Sample, settings: Settings) -> None:
    lake = settings.root / "lake"
    lake.mkdir(parents=True)
    with open_scratch(lake) as scratch:
        lay_rows(sample.events, lake, scratch)
        for table, rows in ((ITEMS, sample.items), (USERS, sample.users)):
            merge_snapshot(table, rows, lake, scratch)


def _run_jobs(context: JobContext) -> None:
    from spark_jobs.session import spark_application

    day = replace(context, interval=Interval(context.interval.end_at - DAY, context.interval.end_at))
    with spark_application(context.settings) as session:
        ready = replace(context, spark=session)
        for job in (clean_events, build_interactions, build_features, train_candidates):
            job.run(ready)
        build_training_set.run(replace(day, spark=session))
    train_ranker.run(day)
    train_session.run(day)


def _of(events: pa.Table, users: list[str]) -> pa.Table:
    return events.filter(pc.is_in(events[USER_ID], pa.array(users))).combine_chunks()


def _clicks(rows: pa.Table) -> pa.Table:
    count, session = rows.num_rows, rows["session_id"].cast(pa.string())
    columns = {
        EVENT_ID: pa.array([f"click-{number:07d}" for number in range(count)]),
        EVENT_TYPE: pa.repeat("click", count),
        USER_ID: session,
        ITEM_ID: rows["item_id"].cast(pa.string()),
        OCCURRED_AT: pc.multiply(rows["ts"].cast(pa.int64()), 1_000_000).cast(EVENTS_SCHEMA.field(OCCURRED_AT).type),
        VALUE: pa.nulls(count, pa.float64()),
        QUANTITY: pa.nulls(count, pa.float64()),
        SESSION_ID: session,
        CONTEXT: pa.nulls(count, EVENTS_SCHEMA.field(CONTEXT).type),
    }
    return pa.table(columns, schema=EVENTS_SCHEMA)

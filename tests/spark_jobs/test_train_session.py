"""The session model of a day: what it learns from, what it never sees, and when there is none."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts.intervals import Interval
from models.session_model import SessionModel
from spark_jobs import clean_events, train_session
from spark_jobs.context import JobContext
from spark_jobs.lake_sessions import read_sessions
from spark_jobs.rankers import session_model_folder, session_model_of
from tests.spark_jobs.running import context_of
from tests.worlds import BREAD, at_utc, event_row, write_events

pytestmark = pytest.mark.spark
DAY = timedelta(days=1)


def test_the_hour_after_takes_the_model_and_the_hour_before_does_not(trained_shop: JobContext) -> None:
    folder = session_model_folder(trained_shop)
    ends = Interval.ending_at(trained_shop.interval.end_at)
    assert session_model_of(replace(trained_shop, interval=ends)) == folder
    assert session_model_of(replace(trained_shop, interval=Interval.ending_at(ends.start_at))) is None


def test_the_same_lake_gives_the_same_model(trained_shop: JobContext) -> None:
    manifest = session_model_folder(trained_shop) / "manifest.json"
    before = manifest.read_bytes()
    train_session.run(trained_shop)
    assert manifest.read_bytes() == before


def test_the_model_names_its_items_and_passed_its_gate(trained_shop: JobContext) -> None:
    model = SessionModel.load(session_model_folder(trained_shop))
    assert BREAD in model.item_ids
    assert model.figures["mrr"] >= model.figures["mrr_popularity"] > 0


def test_nothing_after_the_instant_and_no_more_than_asked_for_is_read(trained_shop: JobContext) -> None:
    end_at = trained_shop.end_seconds - 10 * 86_400
    everything = read_sessions(trained_shop, end_at).sessions
    assert everything.clicked_at.max() < end_at
    few = replace(trained_shop, settings=replace(trained_shop.settings, session_events=30))
    newest = read_sessions(few, end_at).sessions
    assert 30 <= len(newest.item_rows) < len(everything.item_rows)
    assert newest.clicked_at.min() > everything.clicked_at.min()


def test_sessions_of_one_event_make_no_model(spark: SparkSession, tmp_path: Path) -> None:
    at = at_utc("2026-01-31T07:00:00")
    write_events(tmp_path, [event_row(f"e{user}", f"u{user}", BREAD, at=at) for user in range(20)])
    context = context_of(tmp_path, spark)
    clean_events.run(context)
    train_session.run(context)
    assert session_model_of(context) is None

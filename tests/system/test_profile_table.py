"""Profiles in a real PostgreSQL: the same as in the file, replaced at once, and no read waits for the server."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest

from contracts.errors import BadInput, StoreUnavailable
from contracts.features import USER_STATS_TABLE
from contracts.intervals import Interval
from contracts.lake import INTERACTIONS
from contracts.profile_table import SCHEMA, interval_of, table_of
from models.bundle import read_manifest
from models.profile import Profile
from models.profile_file import MADE_BY, RECORDS_NOTE, ProfileFile
from models.profile_record import encode_profile
from models.user_state import OwnItems
from serving.inference.profile_stores import open_profiles
from serving.inference.profile_table import ProfileTable
from spark_jobs import build_profiles, retention
from spark_jobs.context import JobContext
from spark_jobs.profile_table import write_profile_table
from tests.models.small_world import own_items
from tests.spark_jobs.lake_people import lay, pair, stats_of
from tests.system.postgres_server import PostgresServer, run_postgres
from tests.worlds import INTERVAL, small_settings

pytestmark = pytest.mark.system
PAIRS = [pair(f"p{n}", f"i{item}", at=1_769_000_000 + item) for n in range(20) for item in range(n + 1)]
ANN = encode_profile(Profile(own_items(["bread"])))
SECONDS = 0.2


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with run_postgres() as running:
        yield running


@pytest.fixture
def url(server: PostgresServer) -> str:
    """An empty database."""
    with psycopg.connect(server.url) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    return server.url


def hour(root: Path, url: str) -> JobContext:
    context = JobContext(INTERVAL, small_settings(root, profiles_url=url))
    lay(context, INTERACTIONS, PAIRS)
    lay(context, USER_STATS_TABLE, stats_of(PAIRS))
    build_profiles.run(context)
    return context


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (SCHEMA,)).fetchall()
    return sorted(name for (name,) in rows)


def until_it_reads(profiles: ProfileTable, user: str) -> Profile | None:
    """Read again and again for twenty seconds, since the connection comes back beside the reads."""
    until = time.monotonic() + 20
    while True:
        try:
            return profiles.read(user)
        except StoreUnavailable:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_everybody_is_found_as_in_the_file(tmp_path: Path, url: str) -> None:
    in_table, in_file = hour(tmp_path / "table", url), hour(tmp_path / "file", "")
    stored = open_profiles(in_table.settings, in_table.layout.profiles / in_table.key)
    file = open_profiles(in_file.settings, in_file.layout.profiles / in_file.key)
    assert isinstance(stored, ProfileTable) and isinstance(file, ProfileFile)
    for user in {row["user_id"] for row in PAIRS}:
        one, other = stored.read(user), file.read(user)
        assert one is not None and other is not None
        assert all(np.array_equal(getattr(one.own, name), getattr(other.own, name)) for name in OwnItems.__slots__)
        np.testing.assert_array_equal(one.user_stats, other.user_stats)
    assert stored.read("nobody") is None and stored.read("p1\x00x") is None
    assert tables(url) == [table_of(INTERVAL.key)]
    stored.close()
    file.close()


def test_an_hour_made_again_has_the_same_digest_and_a_reader_stays(tmp_path: Path, url: str) -> None:
    context = hour(tmp_path, url)
    folder = context.layout.profiles / context.key
    profiles = open_profiles(context.settings, folder)
    digest = read_manifest(folder, made_by=MADE_BY)[RECORDS_NOTE]
    hour(tmp_path, url)
    assert read_manifest(folder, made_by=MADE_BY)[RECORDS_NOTE] == digest
    assert until_it_reads(profiles, "p3") is not None  # type: ignore[arg-type]
    profiles.close()


def test_a_write_that_fails_leaves_the_table_of_before(url: str) -> None:
    def failing() -> Iterator[tuple[str, bytes]]:
        yield "bob", ANN
        raise BadInput("a record that cannot be made")

    write_profile_table(url, INTERVAL.key, [("ann", ANN)])
    with pytest.raises(BadInput):
        write_profile_table(url, INTERVAL.key, failing())
    profiles = ProfileTable.open(url, INTERVAL.key, read_seconds=5)
    assert profiles.read("ann") is not None and profiles.read("bob") is None
    profiles.close()


def test_a_frozen_server_costs_its_deadline_once_and_is_read_again_when_it_wakes(url: str) -> None:
    write_profile_table(url, INTERVAL.key, [("ann", ANN)])
    profiles = ProfileTable.open(url, INTERVAL.key, read_seconds=SECONDS)
    assert profiles._connection is not None
    backend = profiles._connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable, match="within"):
            profiles.read("ann")
        with pytest.raises(StoreUnavailable, match="away"):
            profiles.read("ann")
    finally:
        os.kill(backend, signal.SIGCONT)
    assert until_it_reads(profiles, "ann") is not None
    profiles.close()


def test_a_server_that_was_away_is_read_when_it_is_back(server: PostgresServer, url: str) -> None:
    write_profile_table(url, INTERVAL.key, [("ann", ANN)])
    profiles = ProfileTable.open(url, INTERVAL.key, read_seconds=SECONDS)
    server.stop()
    late = ProfileTable.open(url, INTERVAL.key, read_seconds=SECONDS)
    try:
        for reader in (profiles, late, profiles):
            with pytest.raises(StoreUnavailable):
                reader.read("ann")
    finally:
        server.start()
    assert until_it_reads(profiles, "ann") is not None and until_it_reads(late, "ann") is not None
    profiles.close()
    late.close()


def test_an_hour_without_a_table_and_a_damaged_record_are_errors_of_the_store(url: str) -> None:
    write_profile_table(url, INTERVAL.key, [("ann", ANN[:-1]), ("bob", ANN)])
    other = ProfileTable.open(url, "2026-01-01T00", read_seconds=SECONDS)
    with pytest.raises(StoreUnavailable):
        other.read("ann")
    profiles = ProfileTable.open(url, INTERVAL.key, read_seconds=5)
    with pytest.raises(StoreUnavailable, match="'ann'"):
        profiles.read("ann")
    assert profiles.read("bob") is not None
    profiles.close()
    other.close()


def test_retention_drops_the_tables_of_hours_that_are_gone(tmp_path: Path, url: str) -> None:
    context = hour(tmp_path, url)
    old, kept = "2026-01-01T00", Interval.ending_at(INTERVAL.end_at + timedelta(hours=1)).key
    for key in (old, kept):
        write_profile_table(url, key, [])
    retention.run(replace(context, interval=Interval(INTERVAL.end_at - timedelta(days=1), INTERVAL.end_at)))
    assert [interval_of(name) for name in tables(url)] == [INTERVAL.key, kept]

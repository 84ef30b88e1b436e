"""Profiles of an hour: everybody's newest items in order, the same whatever the ranges, and nobody forgotten."""

import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from contracts.features import USER_STATS, USER_STATS_TABLE
from contracts.lake import INTERACTIONS, USER_ID
from contracts.user_state import MAX_PROFILE_ITEMS
from models.bundle import read_manifest
from models.profile_file import MADE_BY, ProfileFile
from models.user_state import OwnItems
from spark_jobs import build_profiles
from spark_jobs.context import JobContext
from spark_jobs.people_in_order import people_in_order
from tests.spark_jobs.lake_people import Row, lay, pair, stats_of
from tests.worlds import INTERVAL, small_settings, write_tombstones

BEGAN_AT = 1_769_000_000


def drawn_pairs() -> list[Row]:
    """People with 1 to 60 items, many of one instant, and one with more than a profile keeps; in no order."""
    draw = random.Random(3)
    wanted = {f"user-{number}": draw.randrange(1, 60) for number in range(40)} | {"Ünal": 2, "many": 1_100}
    rows = [
        pair(user, f"i{item}", at=BEGAN_AT + draw.randrange(50))
        for user, count in wanted.items()
        for item in range(count)
    ]
    draw.shuffle(rows)
    return rows


@pytest.fixture
def hour(tmp_path: Path) -> JobContext:
    context = JobContext(INTERVAL, small_settings(tmp_path))
    lay(context, INTERACTIONS, drawn_pairs())
    lay(context, USER_STATS_TABLE, stats_of(drawn_pairs()))
    return context


def built(context: JobContext) -> ProfileFile:
    build_profiles.run(context)
    return ProfileFile.open(context.layout.profiles / context.key)


def test_everybody_has_the_items_that_they_touched_last(hour: JobContext) -> None:
    pairs, profiles = drawn_pairs(), built(hour)
    for stats in stats_of(pairs):
        found = profiles.read(stats[USER_ID])
        expected = OwnItems.from_rows([row for row in pairs if row[USER_ID] == stats[USER_ID]])
        for name in OwnItems.__slots__:
            np.testing.assert_array_equal(getattr(found.own, name), getattr(expected, name))
        known = [np.nan if stats[name] is None else stats[name] for name in USER_STATS]
        np.testing.assert_array_equal(found.user_stats, known)
    assert len(profiles.read("many").own.item_ids) == MAX_PROFILE_ITEMS
    profiles.close()


@pytest.mark.parametrize("rows", [1, 7, 500])
def test_ranges_hold_everybody_once_and_in_order(hour: JobContext, rows: int) -> None:
    whole = [user for pairs, stats in people_in_order(hour, rows) for user in sorted(stats[USER_ID].to_pylist())]
    assert whole == sorted({row[USER_ID] for row in drawn_pairs()})
    for pairs, stats in people_in_order(hour, rows):
        assert set(pairs[USER_ID].to_pylist()) == set(stats[USER_ID].to_pylist())
    assert not list(hour.layout.cache.glob("*"))


def test_small_ranges_and_another_order_of_rows_give_the_same_digest(
    hour: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(hour).close()
    first = read_manifest(hour.layout.profiles / hour.key, made_by=MADE_BY)["digest"]
    lay(hour, INTERACTIONS, drawn_pairs()[::-1])
    monkeypatch.setattr(people_in_order, "__defaults__", (20,))
    built(hour).close()
    assert read_manifest(hour.layout.profiles / hour.key, made_by=MADE_BY)["digest"] == first


def test_who_asked_to_be_forgotten_after_it_all_has_no_profile(hour: JobContext) -> None:
    later, earlier = datetime.fromtimestamp(BEGAN_AT + 60, UTC), datetime.fromtimestamp(BEGAN_AT - 600, UTC)
    write_tombstones(hour.settings.root, {"user-1": later, "user-2": earlier})
    profiles = built(hour)
    assert profiles.read("user-1") is None and profiles.read("user-2") is not None
    profiles.close()


def test_an_hour_without_anybody_has_a_file_without_anybody(tmp_path: Path) -> None:
    context = JobContext(INTERVAL, small_settings(tmp_path))
    lay(context, INTERACTIONS, [])
    lay(context, USER_STATS_TABLE, [])
    profiles = built(context)
    assert profiles.read("ann") is None
    profiles.close()

"""A simulated world repeats itself byte for byte, has exactly what was asked, and follows its own truth."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from contracts.errors import BadInput
from contracts.lake import EVENTS, ITEMS, USERS
from headrace.shelf import TASTE_STRENGTH, Shelf
from headrace.simulate import read_end
from headrace.simulation import TRUTH, simulate
from headrace.world import Plan, build_world, hourly_counts, item_weights

END = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = Plan(user_count=300, item_count=200, event_count=20_000, days=4, end_at=END, seed=5)


def write(root: Path, plan: Plan = PLAN) -> dict[str, bytes]:
    simulate(plan, root, lambda *_: None)
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def events(root: Path) -> pa.Table:
    folder = EVENTS.path(root / "lake")
    return ds.dataset([str(file) for file in sorted(folder.rglob("*.parquet"))]).to_table()


def test_same_seed_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    small = Plan(20, 10, 300, 1, END, 1)
    first = write(tmp_path / "a", small)
    assert first == write(tmp_path / "b", small) == write(tmp_path / "b", small)
    other = write(tmp_path / "c", Plan(20, 10, 300, 1, END, 2))
    assert not set(first.values()) & {data for name, data in other.items() if "events" in name}


def test_exactly_the_events_asked_for_and_each_in_its_hour(root: Path, events: pa.Table) -> None:
    assert events.num_rows == len(set(events["event_id"].to_pylist())) == PLAN.event_count
    for file in EVENTS.path(root / "lake").rglob("*.parquet"):
        hours = {at.strftime("date=%Y-%m-%d/hour=%H") for at in ds.dataset(file).to_table()["occurred_at"].to_pylist()}
        assert hours == {"/".join(file.parent.parts[-2:])}


def test_nights_are_quiet_and_the_span_ends_where_asked(events: pa.Table) -> None:
    by_hour = hourly_counts(PLAN).reshape(-1, 24).sum(axis=0)
    assert by_hour[20] > 4 * by_hour[4]
    last = max(events["occurred_at"].to_pylist())
    assert PLAN.hour_at(PLAN.hour_count - 1) <= last < END


def test_nobody_acts_and_nothing_is_touched_before_arrival(events: pa.Table) -> None:
    world = build_world(PLAN)
    hour = np.array([(at - PLAN.hour_at(0)).total_seconds() // 3600 for at in events["occurred_at"].to_pylist()])
    for column, arrival in (("user_id", world.user_arrival), ("item_id", world.item_arrival)):
        row = np.array([int(name[1:]) for name in events[column].to_pylist()])
        assert (arrival[row] <= hour).all()
        assert (arrival > 0).any() and (arrival[row] > 0).any()


def test_draws_follow_the_stated_law() -> None:
    world = build_world(PLAN)
    weights = item_weights(world, PLAN.hour_count)
    shelf = Shelf.of(world.item_group, weights, len(world.group_factors))
    users = world.user_factors[:1]
    drawn = shelf.draw(np.random.default_rng(1), users, world.group_factors, np.zeros(200_000, np.int64))
    law = weights * np.exp(TASTE_STRENGTH * (world.item_factors @ users[0]).astype(np.float64))
    seen = np.bincount(drawn, minlength=len(law)) / len(drawn)
    assert np.abs(seen - law / law.sum()).max() < 0.005


def test_people_come_back_to_their_staples(events: pa.Table) -> None:
    world = build_world(PLAN)
    bought = events.filter(pa.compute.equal(events["event_type"], "purchase"))
    pairs = zip(bought["user_id"].to_pylist(), bought["item_id"].to_pylist(), strict=True)
    own = [int(item[1:]) in world.user_staples[int(user[1:])] for user, item in pairs]
    assert np.mean(own) > 0.6


def test_the_truth_lies_beside_the_lake(root: Path) -> None:
    assert np.load(root / TRUTH / "user_factors.npy").shape == (300, 16)
    assert np.load(root / TRUTH / "item_factors.npy").shape == (200, 16)
    facts = json.loads((root / TRUTH / "world.json").read_text())
    assert (facts["seed"], facts["end_at"]) == (5, "2026-01-01T00:00:00Z")
    for table, count in ((ITEMS, 200), (USERS, 300)):
        assert ds.dataset(table.path(root / "lake")).count_rows() == count


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (Plan(0, 10, 10, 1, END, 1), "--users is 0"),
        (Plan(1, 3, 10, 1, END, 1), "--items is 3; it takes a whole number from 4"),
        (Plan(1, 10, 10**9, 1, END, 1), "simulate more days or fewer events"),
    ],
)
def test_an_impossible_world_is_refused(plan: Plan, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        build_world(plan)


@pytest.mark.parametrize(("text", "hour"), [("2026-01-01T07:30:00+02:00", 5), ("now", 12)])
def test_the_end_is_cut_to_the_hour(text: str, hour: int) -> None:
    assert read_end(text, datetime(2026, 1, 1, 12, 30, tzinfo=UTC)) == datetime(2026, 1, 1, hour, tzinfo=UTC)

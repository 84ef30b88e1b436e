"""Lay a simulated world into the lake hour by hour, and its ground truth beside the lake."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from contracts.intervals import format_instant
from contracts.lake import ATTRIBUTES, CATEGORY, ITEM_ID, ITEMS, PRICE, REGION, USER_ID, USERS
from contracts.settings import Layout
from headrace.shelf import TASTE_STRENGTH
from headrace.world import REPEAT_SHARE, Plan, World, arrival_text, build_world, hourly_counts
from headrace.world_hour import Names, draw_hour, numbered
from ingest.lay_events import Laid, lay_hour, partition_of
from ingest.outcome import OnProgress, Outcome
from ingest.schemas import ITEMS_SCHEMA, USERS_SCHEMA
from ingest.scratch import open_scratch
from ingest.snapshots import merge_snapshot
from ingest.string_maps import map_of_columns

TRUTH = "truth"


def simulate(plan: Plan, root: Path, on_progress: OnProgress) -> list[Outcome]:
    """Write events, items, users and truth of the plan under `root`."""
    world = build_world(plan)
    lake = Layout(root).lake
    with open_scratch(lake) as scratch:
        catalogue, people = items_of(plan, world), users_of(plan, world)
        laid_items = merge_snapshot(ITEMS, catalogue, lake, scratch)
        laid_users = merge_snapshot(USERS, people, lake, scratch)
        laid = _lay_hours(plan, world, lake, scratch, on_progress)
    write_truth(plan, world, root / TRUTH)
    return [
        Outcome.of("events", plan.event_count, laid),
        Outcome.of(ITEMS.name, catalogue.num_rows, laid_items),
        Outcome.of(USERS.name, people.num_rows, laid_users),
    ]


def items_of(plan: Plan, world: World) -> pa.Table:
    """The catalogue of the world."""
    text = {
        "brand": numbered("brand-", world.item_brand, 2),
        "arrived_at": pa.array(arrival_text(plan, world.item_arrival), pa.string()),
    }
    columns = {
        ITEM_ID: Names.of(plan).items,
        CATEGORY: numbered("category-", world.group_category[world.item_group], 2),
        PRICE: world.item_price,
        ATTRIBUTES: map_of_columns(text, plan.item_count),
    }
    return pa.table(columns, schema=ITEMS_SCHEMA)


def users_of(plan: Plan, world: World) -> pa.Table:
    """The users of the world."""
    text = {"arrived_at": pa.array(arrival_text(plan, world.user_arrival), pa.string())}
    columns = {
        USER_ID: Names.of(plan).users,
        REGION: numbered("region-", world.user_region, 1),
        ATTRIBUTES: map_of_columns(text, plan.user_count),
    }
    return pa.table(columns, schema=USERS_SCHEMA)


def write_truth(plan: Plan, world: World, folder: Path) -> None:
    """Write what an evaluation may compare with: arrays by row; row n is user u<n> or item i<n>."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "user_factors": world.user_factors,
        "item_factors": world.item_factors,
        "item_popularity": world.item_popularity,
        "item_arrival_hours": world.item_arrival,
        "user_activity": world.user_activity,
        "user_arrival_hours": world.user_arrival,
        "user_staples": world.user_staples,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    facts = {
        **asdict(plan),
        "end_at": format_instant(plan.end_at),
        "taste_strength": TASTE_STRENGTH,
        "repeat_share": REPEAT_SHARE,
    }
    (folder / "world.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def _lay_hours(plan: Plan, world: World, lake: Path, scratch: Path, on_progress: OnProgress) -> Laid:
    names, laid = Names.of(plan), Laid()
    first_hour = int(plan.hour_at(0).timestamp()) // 3600
    for hour, count in enumerate(hourly_counts(plan).tolist()):
        if count:
            rows = draw_hour(plan, world, names, hour, count)
            laid += lay_hour(rows, partition_of(first_hour + hour, lake), scratch)
        on_progress("simulating", hour + 1, plan.hour_count)
    return laid

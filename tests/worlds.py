"""Tiny hand-made worlds as lake tables, whose right answers are known by eye.

`corner_shop`: six bakers and six gardeners. Everybody buys bread; a baker buys four of the five bakery items and a
gardener four of the five garden items, each user missing another one. User k shops every (k + 1)th day, so b0 and g0
are the most active. By eye: a list opens with the five things that its user buys, what is similar to yeast is of the
bakery, and bread is what is popular overall.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts import lake
from contracts.intervals import Interval
from contracts.settings import Settings
from models.tables import arrow_schema

INTERVAL = Interval.of_key("2026-01-31T07")
DAYS = 40
STAPLE, BAKERY, GARDEN = "staple", "bakery", "garden"
BREAD = "bread"
BAKERY_ITEMS = ("flour", "sugar", "butter", "yeast", "vanilla")
GARDEN_ITEMS = ("seeds", "soil", "pots", "shears", "gloves")
PRICES = {BREAD: 2.0} | dict.fromkeys(BAKERY_ITEMS, 3.0) | dict.fromkeys(GARDEN_ITEMS, 9.5)
BAKERS = tuple(f"b{k}" for k in range(6))
GARDENERS = tuple(f"g{k}" for k in range(6))
VIEW = "view"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """Rows of the three imported tables, by the columns of contracts.lake."""

    events: tuple[Row, ...]
    items: tuple[Row, ...]
    users: tuple[Row, ...]

    def write(self, root: Path) -> Path:
        """Write as an import does, and return the root."""
        write_events(root, self.events)
        _write_snapshot(lake.ITEMS, self.items, root)
        _write_snapshot(lake.USERS, self.users, root)
        return root


def corner_shop() -> World:
    """The world of this module's first lines; its last events lie in INTERVAL."""
    events = [event for day in range(DAYS) for user in (*BAKERS, *GARDENERS) for event in _visit(user, day)]
    items = [item_row(item, _category_of(item), price) for item, price in PRICES.items()]
    users = [user_row(user, "north" if number % 2 else "south") for number, user in enumerate((*BAKERS, *GARDENERS))]
    return World(tuple(events), tuple(items), tuple(users))


def small_settings(root: Path, **changes: Any) -> Settings:
    """Settings with which a world of a dozen users runs in seconds."""
    small = {
        "spark_master": "local[2]",
        "spark_driver_memory": "1g",
        "spark_shuffle_partitions": 2,
        "als_factors": 4,
        "als_iterations": 5,
        "list_size": 8,
        "candidate_count": 11,
        "head_items": 6,
        "taste_clusters": 2,
        "label_window_hours": 168,
        "ranker_trees": 10,
        "ranker_leaves": 4,
    }
    return Settings(root=root, **{**small, **changes})


def event_row(
    event_id: str, user_id: str | None, item_id: str | None, *, at: datetime, kind: str = lake.PURCHASE
) -> Row:
    """One event; a purchase is of one unit at the price of PRICES, any other event states no value."""
    bought = kind == lake.PURCHASE
    return {
        lake.EVENT_ID: event_id,
        lake.EVENT_TYPE: kind,
        lake.USER_ID: user_id,
        lake.ITEM_ID: item_id,
        lake.OCCURRED_AT: at,
        lake.VALUE: PRICES.get(item_id, 1.0) if bought else None,
        lake.QUANTITY: 1.0 if bought else None,
        lake.SESSION_ID: f"{user_id}-{at:%Y%m%d}",
        lake.CONTEXT: None,
    }


def item_row(item_id: str, category: str | None, price: float | None = None, **attributes: str) -> Row:
    """One catalogue item."""
    return {
        lake.ITEM_ID: item_id,
        lake.CATEGORY: category,
        lake.PRICE: price,
        lake.ATTRIBUTES: list(attributes.items()),
    }


def user_row(user_id: str, region: str | None, **attributes: str) -> Row:
    """One user as a CRM knows them."""
    return {lake.USER_ID: user_id, lake.REGION: region, lake.ATTRIBUTES: list(attributes.items())}


def impression_row(
    impression_id: str, user_id: str | None, item_ids: Sequence[str], *, at: datetime, recommendation_id: str
) -> Row:
    """One list as a client says that it showed it, on the home page."""
    return {
        lake.IMPRESSION_ID: impression_id,
        lake.RECOMMENDATION_ID: recommendation_id,
        lake.USER_ID: user_id,
        lake.ANONYMOUS_ID: None,
        lake.PLACEMENT: "home",
        lake.OCCURRED_AT: at,
        lake.ITEM_IDS: list(item_ids),
        lake.CONTEXT: None,
    }


def write_impressions(root: Path, impressions: Sequence[Row]) -> None:
    """Write impressions: a folder an hour, files named by their content."""
    _write_hours(lake.IMPRESSIONS, impressions, root)


def write_tombstones(root: Path, forgotten: dict[str, datetime]) -> None:
    """Replace the table of those who asked to be forgotten, as the archiver does."""
    rows = [{lake.USER_ID: user, lake.FORGOTTEN_AT: at} for user, at in sorted(forgotten.items())]
    _write_snapshot(lake.TOMBSTONES, rows, root)


def write_events(root: Path, events: Sequence[Row]) -> None:
    """Write raw events: a folder an hour of event time, files named by their content."""
    _write_hours(lake.EVENTS, events, root)


def _visit(user: str, day: int) -> list[Row]:
    number = int(user[1:])
    if day % (number + 1):
        return []
    shelf = BAKERY_ITEMS if user in BAKERS else GARDEN_ITEMS
    mine = [item for place, item in enumerate(shelf) if place != number % len(shelf)]
    at = INTERVAL.start_at - timedelta(days=DAYS - 1 - day) + timedelta(minutes=number, hours=0)
    visit = day // (number + 1)
    bought = [mine[visit % 4], mine[(visit + 1) % 4]] + [BREAD] * (visit % 2 == 0)
    looked = event_row(f"{user}-{day}-view", user, mine[(visit + 2) % 4], at=at, kind=VIEW)
    return [
        looked,
        *(
            event_row(f"{user}-{day}-{item}", user, item, at=at + timedelta(minutes=10 + place))
            for place, item in enumerate(bought)
        ),
    ]


def _category_of(item: str) -> str:
    if item == BREAD:
        return STAPLE
    return BAKERY if item in BAKERY_ITEMS else GARDEN


def _write_hours(table: lake.Table, rows: Sequence[Row], root: Path) -> None:
    hours: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        at = row[lake.OCCURRED_AT]
        hours[f"{at:%Y-%m-%d}", f"{at:%H}"].append(row)
    for names, those in hours.items():
        _write(table, those, table.partition(root / "lake", *names))


def _write_snapshot(table: lake.Table, rows: Sequence[Row], root: Path) -> None:
    folder = table.path(root / "lake")
    for old in folder.glob("*.parquet"):
        old.unlink()
    _write(table, rows, folder)


def _write(table: lake.Table, rows: Sequence[Row], folder: Path) -> None:
    data = pa.Table.from_pylist(list(rows), schema=arrow_schema(table))
    content = hashlib.blake2b(repr(rows).encode(), digest_size=8).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(data, folder / f"part-{content}.parquet", compression="zstd")


def at_utc(text: str) -> datetime:
    """An aware instant from ISO 8601 text."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

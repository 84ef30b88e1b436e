"""The year of purchases: every transaction an event, shifted by whole hours to end where asked."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from headrace import sample

HOUSEHOLD, PRODUCT, BASKET, STORE = "household_id", "product_id", "basket_id", "store_id"


def transactions(*rows: tuple[int, int, int, int, float]) -> pa.Table:
    at = datetime(2017, 1, 1, 11, 53, 26)
    names = (HOUSEHOLD, STORE, BASKET, PRODUCT, "sales_value")
    records = [{**dict(zip(names, row, strict=True)), "quantity": 2, "transaction_timestamp": at} for row in rows]
    return pa.Table.from_pylist(records)


def test_a_transaction_is_a_purchase_in_its_basket() -> None:
    (event,) = sample.to_events(transactions((900, 330, 311, 1095275, 0.5))).to_pylist()
    assert event == {
        "event_id": "311-1095275",
        "event_type": "purchase",
        "user_id": "900",
        "item_id": "1095275",
        "occurred_at": datetime(2017, 1, 1, 11, 53, 26, tzinfo=UTC),
        "value": 0.5,
        "quantity": 2.0,
        "session_id": "311",
        "context": [("store_id", "330")],
    }


def test_home_is_the_store_of_most_baskets_and_the_lower_number_when_equal() -> None:
    bought = transactions(
        (1, 7, 1, 1, 1.0), (1, 7, 1, 2, 1.0), (1, 8, 2, 1, 1.0), (1, 8, 3, 1, 1.0), (2, 9, 4, 1, 1.0), (2, 5, 5, 1, 1.0)
    )
    demographics = pa.table({HOUSEHOLD: [2], "age": ["65+"]})
    users = sample.to_users(demographics, bought).to_pylist()
    assert [(user["user_id"], user["region"], user["attributes"]) for user in users] == [
        ("1", "store-8", None),
        ("2", "store-5", [("age", "65+")]),
    ]


def test_an_item_has_its_category_its_price_and_is_there_even_if_the_catalogue_forgot_it() -> None:
    blank = {"manufacturer_id": 2, "brand": "National", "product_type": None, "package_size": None}
    products = pa.Table.from_pylist(
        [
            {PRODUCT: 1, "department": "GROCERY", "product_category": "SOUP", **blank},
            {PRODUCT: 2, "department": "MISC", "product_category": None, **blank},
        ]
    )
    items = sample.to_items(products, transactions((1, 1, 1, 1, 3.0), (1, 1, 2, 1, 4.0), (1, 1, 1, 3, 5.0))).to_pylist()
    assert [(item["item_id"], item["category"], item["price"]) for item in items] == [
        ("1", "SOUP", 1.75),
        ("2", "MISC", None),
        ("3", None, 2.5),
    ]
    assert dict(items[0]["attributes"])["brand"] == "National"


@pytest.mark.parametrize(
    "now", [datetime(2026, 11, 21, 5, 0, tzinfo=UTC), datetime(2026, 11, 21, 5, 59, 59, tzinfo=UTC)]
)
def test_the_last_event_falls_into_the_last_complete_hour(now: datetime) -> None:
    last_at = datetime(2017, 1, 1, 11, 53, 26, tzinfo=UTC)
    events = sample.to_events(transactions((1, 1, 1, 1, 1.0)))
    shifted = sample.shift(events, sample.hours_to_now(last_at, now))
    assert pc.max(shifted["occurred_at"]).as_py() == datetime(2026, 11, 21, 4, 53, 26, tzinfo=UTC)


def test_a_lake_keeps_the_shift_of_its_first_import(tmp_path: Path) -> None:
    assert sample.remembered_shift(tmp_path, 100) == 100
    assert sample.remembered_shift(tmp_path, 124) == 100


def test_all_of_the_package_is_read() -> None:
    whole = sample.read_sample(sample.package_folder())
    assert (whole.events.num_rows, whole.users.num_rows, whole.items.num_rows) == (1_469_307, 2_469, 92_348)
    assert pc.count_distinct(whole.events["event_id"]).as_py() == 1_469_307
    assert pc.count_distinct(whole.events["item_id"]).as_py() == 68_509
    assert pc.all(pc.is_in(pc.unique(whole.events["item_id"]), value_set=whole.items["item_id"])).as_py()

"""Items and users: any column becomes an attribute, and the later row of an id wins."""

from pathlib import Path

import pytest

from contracts.errors import BadInput
from contracts.lake import EVENTS, ITEMS, USERS
from ingest.column_plan import ColumnPlan
from tests.ingest.conftest import Import
from tests.ingest.lakes import bytes_of, rows_of


def write(tmp_path: Path, text: str, name: str = "items.csv") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def test_columns_without_a_place_become_attributes(tmp_path: Path, lake: Path, run_import: Import) -> None:
    file = write(tmp_path, "sku,dept,price,brand,size\n1,dairy,1.5,Alp,\n2,,,,\n")
    run_import(file, table=ITEMS, columns={"item_id": "sku", "category": "dept"})
    assert rows_of(ITEMS, lake) == [
        {"item_id": "1", "category": "dairy", "price": 1.5, "attributes": [("brand", "Alp")]},
        {"item_id": "2", "category": None, "price": None, "attributes": None},
    ]


def test_later_rows_win_and_others_stay(tmp_path: Path, lake: Path, run_import: Import) -> None:
    run_import(write(tmp_path, "item_id,price\na,1\nb,2\n"), table=ITEMS)
    outcome = run_import(write(tmp_path, "item_id,price\nb,3\nc,4\nb,5\na,1\n"), table=ITEMS)
    assert (outcome.read, outcome.accepted, outcome.duplicates) == (4, 2, 2)
    assert [(row["item_id"], row["price"]) for row in rows_of(ITEMS, lake)] == [("a", 1), ("b", 5), ("c", 4)]
    assert len(list(ITEMS.path(lake).iterdir())) == 1


def test_the_same_users_twice_change_no_byte(tmp_path: Path, lake: Path, run_import: Import) -> None:
    ann = '{"user_id": 7, "region": "north", "attributes": {"age": 3}, "tags": ["a"]}'
    file = write(tmp_path, f'{ann}\n{{"user_id": null}}\n{{"user_id": 8}}\n', "users.jsonl")
    outcome = run_import(file, table=USERS)
    assert (outcome.read, outcome.accepted, outcome.rejected) == (3, 2, 1)
    assert rows_of(USERS, lake)[0] == {
        "user_id": "7",
        "region": "north",
        "attributes": [("age", "3"), ("tags", '["a"]')],
    }
    before = bytes_of(lake)
    assert run_import(file, table=USERS).accepted == 0
    assert bytes_of(lake) == before


def test_a_price_that_is_no_number_is_rejected(tmp_path: Path, lake: Path, run_import: Import) -> None:
    outcome = run_import(write(tmp_path, "item_id,price\na,cheap\nb,2\n"), table=ITEMS)
    assert outcome.reasons == {"price is no finite number": 1}
    assert [row["item_id"] for row in rows_of(ITEMS, lake)] == ["b"]


def test_a_plan_that_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match=r"items have no column 'colour'; theirs are item_id"):
        ColumnPlan(ITEMS, {"colour": "c"})
    with pytest.raises(BadInput, match="both from the file and as a constant"):
        ColumnPlan(EVENTS, {"user_id": "u"}, {"user_id": "1"})
    with pytest.raises(BadInput, match="--context is for events"):
        ColumnPlan(USERS, context=("a",))

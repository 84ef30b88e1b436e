"""The catalogue is read whole or not at all; what many items share can be filtered by, and new items are told apart."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.features import ITEM_STATS, ITEM_STATS_TABLE
from contracts.lake import CATEGORY, ITEM_ID, ITEMS
from models.id_map import IdMap
from models.item_filter import ItemFilter
from models.tables import arrow_schema
from spark_jobs import item_columns
from spark_jobs.catalogue import Catalogue, read_catalogue
from spark_jobs.item_columns import attributes_of, categories_of, prices_of, statistics_of
from spark_jobs.outputs import snapshot_digest
from tests.worlds import Row, World, item_row

ROWS = (
    item_row("boot", "shoes", 90.0, brand="north", size="42", title="A boot"),
    item_row("clog", "shoes", None, brand="south", size="39", title="Clogs, wooden"),
    item_row("cap", "hats", 15.0, brand="north", title="Cap"),
    item_row("fez", None, 20.0, available="No", title="Fez"),
    item_row("hood", None, 30.0),
)
IDS = IdMap.of(["boot", "cap", "clog", "hood", "sock"])
PRICE = ITEM_STATS.index("item_price")


def catalogue_of(root: Path, rows: tuple[Row, ...] = ROWS) -> Catalogue:
    World((), rows, ()).write(root)
    return read_catalogue(root / "lake")


def stats_of(*rows: tuple[str, str | None, float]) -> pa.Table:
    """Statistics that are all the same number."""
    columns = {ITEM_ID: [row[0] for row in rows], CATEGORY: [row[1] for row in rows]}
    return pa.table(columns | {name: [row[2] for row in rows] for name in ITEM_STATS})


def test_what_is_not_available_never_comes_in(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path)
    assert catalogue.unavailable() == {"fez"}
    assert catalogue.untouched(frozenset({"boot"}), 10) == ["cap", "clog", "hood"]


def test_of_more_new_items_than_allowed_the_described_come_first_and_always_the_same(tmp_path: Path) -> None:
    rows = tuple(item_row(f"i{number:03d}", "c" if number % 2 else None) for number in range(200))
    catalogue = catalogue_of(tmp_path, rows)
    few, more, most = (set(catalogue.untouched(frozenset(), count)) for count in (30, 100, 101))
    assert few < more < most
    assert more == {f"i{number:03d}" for number in range(1, 200, 2)}
    assert catalogue.untouched(frozenset(), 0) == []


def test_the_digest_is_that_of_the_files_that_were_read(tmp_path: Path) -> None:
    assert catalogue_of(tmp_path).digest == snapshot_digest(tmp_path / "lake", ITEMS)


def test_no_catalogue_is_an_empty_one(tmp_path: Path) -> None:
    empty = read_catalogue(tmp_path)
    assert (empty.item_ids, empty.unavailable(), empty.untouched(frozenset(), 9)) == ([], frozenset(), [])
    assert attributes_of(IDS, empty, prices_of(IDS, empty))[0].own_columns == {}


def test_attributes_can_be_filtered_by(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path)
    attributes, unfiltered = attributes_of(IDS, catalogue, prices_of(IDS, catalogue))
    assert sorted(attributes.own_columns) == ["brand", "size", "title"]
    assert unfiltered == ()
    for predicate, items in (
        ({"field": "brand", "equals": "north"}, ["boot", "cap"]),
        ({"field": "size", "lt": 40}, ["clog"]),
        ({"not": {"field": "brand", "in": ["north", "south"]}}, ["hood", "sock"]),
        ({"field": "price", "gte": 30}, ["boot", "hood"]),
    ):
        rows = np.flatnonzero(ItemFilter.parse(predicate).open_rows(attributes))
        assert [IDS.external_ids[row] for row in rows] == items


def test_fields_of_too_many_texts_and_of_the_fewest_items_are_left_out_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_columns, "MOST_TEXTS", 2)
    monkeypatch.setattr(item_columns, "MOST_FIELDS", 2)
    catalogue = catalogue_of(tmp_path)
    attributes, unfiltered = attributes_of(IDS, catalogue, prices_of(IDS, catalogue))
    assert sorted(attributes.own_columns) == ["brand"]
    assert unfiltered == ("size", "title")


def test_many_different_numbers_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_columns, "MOST_TEXTS", 2)
    rows = tuple(item_row(f"i{number}", "c", weight=str(number / 4)) for number in range(9))
    catalogue, items = catalogue_of(tmp_path, rows), IdMap.of(f"i{number}" for number in range(9))
    attributes, unfiltered = attributes_of(items, catalogue, prices_of(items, catalogue))
    heavy = ItemFilter.parse({"field": "weight", "gte": 1.75}).open_rows(attributes)
    assert (np.flatnonzero(heavy).tolist(), unfiltered) == ([7, 8], ())


def test_attributes_in_several_pieces_and_missing_ones_stay_with_their_items(tmp_path: Path) -> None:
    rows = [dict(row) for row in ROWS]
    rows[2]["attributes"] = None
    schema = arrow_schema(ITEMS)
    pieces = pa.Table.from_batches([pa.RecordBatch.from_pylist([row], schema=schema) for row in rows])
    ITEMS.path(tmp_path).mkdir()
    pq.write_table(pieces, ITEMS.path(tmp_path) / "part-1.parquet", row_group_size=2)
    for catalogue in (Catalogue(pieces, ""), read_catalogue(tmp_path), Catalogue(pieces.slice(1), "")):
        attributes, _ = attributes_of(IDS, catalogue, prices_of(IDS, catalogue))
        south = ItemFilter.parse({"field": "brand", "equals": "south"}).open_rows(attributes)
        assert [IDS.external_ids[row] for row in np.flatnonzero(south)] == ["clog"]
        assert catalogue.unavailable() == {"fez"}


def test_an_item_without_events_has_the_price_and_category_of_the_catalogue_and_no_statistics(tmp_path: Path) -> None:
    catalogue, stats = catalogue_of(tmp_path), stats_of(("boot", "old shoes", 7.0), ("sock", None, 2.0))
    codes, categories = categories_of(IDS, stats, catalogue)
    named = [None if code < 0 else categories[code] for code in codes]
    assert named == ["old shoes", "hats", "shoes", None, None]
    matrix = statistics_of(IDS, stats, prices_of(IDS, catalogue))
    np.testing.assert_array_equal(matrix[:, PRICE], [7.0, 15.0, np.nan, 30.0, 2.0])
    others = np.delete(matrix, PRICE, axis=1)
    assert np.isnan(others[1:4]).all()
    assert np.isfinite(others[[0, 4]]).all()


def test_the_table_of_statistics_has_the_columns_that_are_read() -> None:
    assert set(ITEM_STATS_TABLE.column_names) >= {ITEM_ID, CATEGORY, *ITEM_STATS}

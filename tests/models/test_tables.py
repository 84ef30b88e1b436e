"""Lake tables in Arrow: what goes in comes out, in the same bytes, and half a partition is never seen."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.errors import MissingInput
from contracts.lake import EVENTS, HEAD_USERS, ITEMS, LISTS, SEGMENTS
from models.tables import arrow_schema, manifest_of, read_partition, write_partition

HOUR = "2026-01-31T07"
HEAD = pa.table({"user_id": ["a", "b"], "rank": [1, 2], "activity_scaled": [9, 5]})


def test_rows_come_back_in_the_stated_types_and_order(tmp_path: Path) -> None:
    write_partition(HEAD_USERS, HEAD.select(["activity_scaled", "rank", "user_id"]), tmp_path, HOUR)
    found = read_partition(HEAD_USERS, tmp_path, HOUR)
    assert found.schema.equals(arrow_schema(HEAD_USERS))
    assert found.to_pylist() == HEAD.to_pylist()
    assert read_partition(HEAD_USERS, tmp_path, HOUR, columns=["rank"]).to_pydict() == {"rank": [1, 2]}


def test_lists_maps_and_instants_keep_their_shape(tmp_path: Path) -> None:
    at = datetime(2026, 1, 31, 7, 30, 0, 123456, UTC)
    event = {"event_id": "e", "event_type": "view", "user_id": "u", "item_id": "i", "occurred_at": at, "value": None,
             "quantity": 1.5, "session_id": None, "context": [("device", "tv")]}  # fmt: skip
    tables = {
        EVENTS: (event, ("2026-01-31", "07")),
        LISTS: ({"user_id": "u", "item_ids": ["a", "b"], "scores": [1.5, 0.5]}, (HOUR,)),
        ITEMS: ({"item_id": "i", "category": None, "price": 2.0, "attributes": []}, ()),
    }
    for table, (row, place) in tables.items():
        write_partition(table, pa.Table.from_pylist([row], arrow_schema(table)), tmp_path, *place)
        assert read_partition(table, tmp_path, *place).to_pylist() == [row]


def test_the_same_rows_give_the_same_digest_and_bytes(tmp_path: Path) -> None:
    first, second = (write_partition(HEAD_USERS, HEAD, tmp_path / place, HOUR) for place in ("one", "two"))
    other = write_partition(HEAD_USERS, HEAD.slice(0, 1), tmp_path / "three", HOUR)
    assert first == second != other


def test_writing_again_replaces_all_that_was_there(tmp_path: Path) -> None:
    write_partition(HEAD_USERS, HEAD, tmp_path, HOUR)
    folder = HEAD_USERS.partition(tmp_path, HOUR)
    (folder / "part-older.parquet").write_bytes((folder / "part-0.parquet").read_bytes())
    write_partition(HEAD_USERS, HEAD.slice(1), tmp_path, HOUR)
    assert read_partition(HEAD_USERS, tmp_path, HOUR)["user_id"].to_pylist() == ["b"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_partition_without_rows_is_there_and_empty(tmp_path: Path) -> None:
    write_partition(HEAD_USERS, HEAD.slice(0, 0), tmp_path, HOUR)
    assert read_partition(HEAD_USERS, tmp_path, HOUR).num_rows == 0


def test_rows_of_another_shape_change_nothing(tmp_path: Path) -> None:
    write_partition(HEAD_USERS, HEAD, tmp_path, HOUR)
    with pytest.raises(pa.ArrowInvalid):
        write_partition(HEAD_USERS, HEAD.set_column(1, "rank", pa.array(["first", "second"])), tmp_path, HOUR)
    assert read_partition(HEAD_USERS, tmp_path, HOUR).num_rows == 2


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="segments has no partition 2026-01-31T07"):
        read_partition(SEGMENTS, tmp_path, HOUR)
    with pytest.raises(MissingInput, match="the job that writes segments"):
        manifest_of(SEGMENTS, tmp_path, HOUR)

"""Maps have their keys in order and no empty values, however they came."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.schemas import STRING_MAP
from ingest.string_maps import as_text, map_of_columns, merge_maps, read_maps

PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "1", "é"])), max_size=4)


@settings(deadline=None)
@given(st.lists(st.none() | PAIRS, max_size=6))
def test_any_map_column_is_settled_once_and_then_stays(rows: list[list[tuple[str, str]] | None]) -> None:
    expected = [sorted((k, v) for k, v in dict(row or ()).items() if v) or None for row in rows]
    maps, is_odd = read_maps(pa.array(rows, STRING_MAP))
    assert (maps.to_pylist(), is_odd.any()) == (expected, False)
    assert read_maps(maps)[0].to_pylist() == expected


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([None, "", "1", "é"]), min_size=2, max_size=2), max_size=6))
def test_columns_make_the_map_that_their_rows_would(rows: list[list[str | None]]) -> None:
    columns = {name: as_text(pa.array([row[at] for row in rows], pa.string())) for at, name in enumerate("ba")}
    made = map_of_columns(columns, len(rows))
    assert made.to_pylist() == [
        sorted((name, text) for name, text in zip("ba", row, strict=True) if text) or None for row in rows
    ]


def test_structs_and_json_become_maps_and_rubbish_is_marked() -> None:
    assert read_maps(pa.array([{"a": 1, "b": None}]))[0].to_pylist() == [[("a", "1")]]
    maps, is_odd = read_maps(pa.array(['{"b": [1], "a": true}', "[1]", "no", "", None]))
    assert maps.to_pylist() == [[("a", "true"), ("b", "[1]")], None, None, None, None]
    assert is_odd.tolist() == [False, True, True, False, False]


def test_the_second_map_wins() -> None:
    one, other = pa.array([[("a", "1"), ("b", "1")], None], STRING_MAP), pa.array([[("b", "2")], None], STRING_MAP)
    assert merge_maps(one, other).to_pylist() == [[("a", "1"), ("b", "2")], None]


@pytest.mark.parametrize(
    ("values", "texts"),
    [([1, None], ["1", None]), (["", "a"], [None, "a"]), ([b"a\xff"], ["a\\xff"]), ([[1, 2]], ["[1,2]"])],
)
def test_any_value_has_a_text(values: list[object], texts: list[str | None]) -> None:
    assert as_text(pa.array(values)).to_pylist() == texts

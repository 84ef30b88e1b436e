"""Columns and JSON objects become one map<string,string> a row: keys in order, missing values left out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.schemas import STRING_MAP


def as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as strings; the empty string counts as missing, nested values become JSON text."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not pa.types.is_string(column.type):
        column = _cast_to_text(column)
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def map_of_columns(columns: Mapping[str, pa.Array], row_count: int) -> pa.Array:
    """One map a row out of text columns of `row_count` rows; a row with no value at all is null."""
    names = sorted(columns)
    if not names:
        return pa.nulls(row_count, STRING_MAP)
    valid = np.stack([np.asarray(columns[name].is_valid()) for name in names], axis=1)
    counts = valid.sum(axis=1)
    rows, kinds = np.nonzero(valid)
    values = pa.concat_arrays([columns[name] for name in names]).take(pa.array(kinds * row_count + rows))
    offsets = pa.array(np.r_[0, np.cumsum(counts)].astype(np.int32), mask=np.r_[counts == 0, False])
    return pa.MapArray.from_arrays(offsets, pa.array(names).take(pa.array(kinds)), values)


def read_maps(column: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Maps, structs or JSON objects as maps of text, and which rows are none of these."""
    if _is_settled(column):
        return column, np.zeros(len(column), np.bool_)
    objects = [_as_object(value) for value in column.to_pylist()]
    is_odd = np.array([found is None for found in objects], np.bool_)
    return pa.array([_entries(found or {}) for found in objects], STRING_MAP), is_odd


def merge_maps(one: pa.Array, other: pa.Array) -> pa.Array:
    """Both maps of each row in one; where both name a key, `other` wins."""
    pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
    return pa.array([_entries({**dict(left or ()), **dict(right or ())}) for left, right in pairs], STRING_MAP)


def plain_text(value: Any) -> str | None:
    """A value as text: strings as they are, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()


def _is_settled(column: pa.Array) -> bool:
    """Whether a column already is what this module makes: worth a look, the other way costs microseconds a row."""
    if column.type != STRING_MAP:
        return False
    bounds = np.asarray(column.offsets)
    keys, values = (part.slice(bounds[0], bounds[-1] - bounds[0]) for part in (column.keys, column.items))
    is_start = np.zeros(len(keys) + 1, np.bool_)
    is_start[bounds - bounds[0]] = True
    ascending = np.asarray(pc.less(keys[:-1], keys[1:])) if len(keys) else np.zeros(0, np.bool_)
    sizes = np.diff(bounds)[np.asarray(column.is_valid())]
    has_text = pc.all(pc.greater(pc.binary_length(values), 0), skip_nulls=False, min_count=0).as_py()
    return bool(has_text and (sizes > 0).all() and (ascending | is_start[1:-1]).all())


def _entries(found: Mapping[str, Any]) -> list[tuple[str, str]] | None:
    texts = {name: plain_text(value) for name, value in found.items()}
    return sorted((name, text) for name, text in texts.items() if text) or None


def _as_object(value: Any) -> dict[str, Any] | None:
    """An object; an empty one for a missing value; None when the value is something else."""
    if isinstance(value, bytes | str) and value:
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    if isinstance(value, list) and all(isinstance(entry, tuple) for entry in value):
        value = {str(name): entry for name, entry in value}
    return value if isinstance(value, dict) else ({} if not value else None)


def _cast_to_text(column: pa.Array) -> pa.Array:
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_shown(value) for value in column.to_pylist()], pa.string())


def _shown(value: Any) -> str | None:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else plain_text(value)

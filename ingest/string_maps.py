"""Columns become one map<string,string> a row, keys in order, missing values left out."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.schemas import STRING_MAP


def as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as strings; the empty string counts as missing."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not pa.types.is_string(column.type):
        column = column.cast(pa.string())
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

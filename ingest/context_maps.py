"""The context of events: entries from several places become one map<string,string> a row, keys in order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.schemas import STRING_MAP
from ingest.string_maps import plain_text

Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entries:
    """Keys and values of some rows; a row may come more than once."""

    rows: Longs
    keys: pa.Array
    values: pa.Array


def entries_of_column(name: str, column: pa.Array) -> Entries:
    """Each row's value under one name."""
    rows = np.arange(len(column))
    return Entries(rows, pa.array([name]).take(pa.array(np.zeros(len(column), np.int64))), column)


def entries_of_objects(rows: Longs, objects: Sequence[dict[str, object]]) -> Entries:
    """The scalars of JSON objects, one object a row."""
    found = [
        (row, name, plain_text(value))
        for row, one in zip(rows.tolist(), objects, strict=True)
        for name, value in one.items()
        if value is not None and not isinstance(value, dict | list)
    ]
    at, keys, values = zip(*found, strict=True) if found else ((), (), ())
    return Entries(np.array(at, np.int64), pa.array(keys, pa.string()), pa.array(values, pa.string()))


def maps_of(entries: Sequence[Entries], row_count: int) -> pa.Array:
    """One map a row; of entries that share a row and a key the first counts. No entries, or only "", are null."""
    rows = np.concatenate([part.rows for part in entries])
    keys = pa.concat_arrays([part.keys for part in entries])
    values = pa.concat_arrays([part.values for part in entries])
    has_text = np.flatnonzero(np.asarray(pc.fill_null(pc.greater(pc.binary_length(values), 0), False)))
    if not len(has_text):
        return pa.nulls(row_count, STRING_MAP)
    encoded = keys.take(pa.array(has_text)).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    rank = np.empty(len(names), np.int64)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    places = rows[has_text] * len(names) + rank[np.asarray(encoded.indices)]
    in_order, first = np.unique(places, return_index=True)
    kept = pa.array(has_text[first])
    counts = np.bincount(in_order // len(names), minlength=row_count)
    return pa.MapArray.from_arrays(list_offsets(counts), keys.take(kept), values.take(kept))


def list_offsets(counts: Longs) -> pa.Array:
    """Offsets of lists of these lengths; an empty one is null."""
    return pa.array(np.r_[0, np.cumsum(counts)].astype(np.int32), mask=np.r_[counts == 0, False])

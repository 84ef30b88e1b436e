"""An id for an event that came without one: a stable hash of everything it says."""

from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.lake import CONTEXT, EVENT_ID, EVENTS

_HASH_BYTES = 12
_MISSING = "-"


def content_ids(rows: pa.Table) -> pa.Array:
    """Hash all columns of events but event_id; equal events, whatever file they came in, get equal ids."""
    parts = []
    for name in EVENTS.column_names:
        if name == CONTEXT:
            parts.append(_map_content(rows[name].combine_chunks()))
        elif name != EVENT_ID:
            column = rows[name].combine_chunks()
            parts.append(_framed(column if pa.types.is_string(column.type) else _number_text(column)))
    content = pc.binary_join_element_wise(*parts, "").cast(pa.binary())
    return pa.array([blake2b(one, digest_size=_HASH_BYTES).hexdigest() for one in content.to_pylist()], pa.string())


def _number_text(column: pa.Array) -> pa.Array:
    plain = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    return plain.cast(pa.string())


def _framed(text: pa.Array) -> pa.Array:
    """Length, colon, value: no two rows of values read the same when joined."""
    length = pc.binary_length(text).cast(pa.string())
    return pc.binary_join_element_wise(length, text, ":").fill_null(_MISSING)


def _map_content(maps: pa.Array) -> pa.Array:
    """Keys and values of each map, framed; `maps` has its keys in order."""
    valid = np.asarray(maps.is_valid())
    kept = maps.filter(pa.array(valid))
    bounds = np.asarray(kept.offsets)
    counts = np.zeros(len(maps), np.int32)
    counts[valid] = np.diff(bounds)
    offsets = pa.array(np.r_[0, np.cumsum(counts)].astype(np.int32))
    keys, values = (part.slice(bounds[0], bounds[-1] - bounds[0]) for part in (kept.keys, kept.items))
    framed = pc.binary_join_element_wise(_framed(keys), _framed(values), "")
    return _framed(pc.binary_join(pa.ListArray.from_arrays(offsets, framed), ""))

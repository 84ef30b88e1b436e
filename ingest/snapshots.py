"""Items and users: one file a table with the latest known row of each id, replaced whole."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.lake import Table
from ingest.lay_events import Laid
from ingest.schemas import encode_file, schema_of
from ingest.scratch import replace_folder


def merge_snapshot(table: Table, rows: pa.Table, lake: Path, scratch: Path) -> Laid:
    """Merge `rows` into the snapshot of `table` by its first column; a later row replaces an earlier one whole.

    Accepted are rows that say something new; superseded rows and rows already known count as duplicates.
    """
    laid, merged = merged_snapshot(table, rows, lake)
    if merged is not None:
        name, data = encode_file(merged)
        replace_folder(table.path(lake), {name: data}, scratch)
    return laid


def merged_snapshot(table: Table, rows: pa.Table, lake: Path) -> tuple[Laid, pa.Table | None]:
    """What merging comes to, and the snapshot to be; None when it is what the lake has."""
    held = read_snapshot(table, lake)
    stacked = pa.concat_tables([held, rows.cast(schema_of(table))]).combine_chunks()
    kept = _last_of_each(stacked, table.column_names[0])
    fresh = stacked.take(kept[kept >= held.num_rows])
    accepted = fresh.num_rows - _known_rows(table, held, fresh)
    merged = stacked.take(kept).sort_by(table.column_names[0]).combine_chunks() if accepted else None
    return Laid(accepted, rows.num_rows - accepted, int(accepted > 0)), merged


def read_snapshot(table: Table, lake: Path) -> pa.Table:
    """The snapshot as it lies in the lake; no rows when there is none yet."""
    schema = schema_of(table)
    files = sorted(table.path(lake).glob("*.parquet"))
    return pa.concat_tables([schema.empty_table(), *(pq.ParquetFile(file).read().cast(schema) for file in files)])


def _last_of_each(rows: pa.Table, key: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    codes = np.asarray(rows[key].combine_chunks().dictionary_encode().indices)
    _, from_the_end = np.unique(codes[::-1], return_index=True)
    return np.sort(rows.num_rows - 1 - from_the_end)


def _known_rows(table: Table, held: pa.Table, fresh: pa.Table) -> int:
    key = table.column_names[0]
    position = pa.compute.index_in(fresh[key], value_set=held[key].combine_chunks())
    shared = fresh.filter(position.is_valid())
    before = held.take(position.drop_null())
    return sum(old == new for old, new in zip(before.to_pylist(), shared.to_pylist(), strict=True))

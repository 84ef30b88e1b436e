"""Staged events become hourly partitions: duplicates out, rows sorted, each partition replaced in one step.

Two events are one when they share event_id and hour of event time; the one that the lake holds, or that was read
first, stays.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.lake import EVENT_ID, EVENTS, OCCURRED_AT
from ingest.schemas import EVENTS_SCHEMA, encode_file
from ingest.scratch import replace_folder
from ingest.staging import Stage, microseconds, runs

logger = logging.getLogger(__name__)

# A date above this is laid down an hour at a time.
WHOLE_DATE_BYTES = 192 * 1024**2
_HOUR_MICROSECONDS = 3_600_000_000
_SORT = [(OCCURRED_AT, "ascending"), (EVENT_ID, "ascending")]


@dataclass(frozen=True, slots=True)
class Laid:
    """Rows that came new, rows that were there already, and partitions that changed."""

    accepted: int = 0
    duplicates: int = 0
    partitions: int = 0

    def __add__(self, other: "Laid") -> "Laid":
        return Laid(
            self.accepted + other.accepted, self.duplicates + other.duplicates, self.partitions + other.partitions
        )


def lay_down(
    stage: Stage, lake: Path, scratch: Path, on_date: Callable[[int, int], None] = lambda done, total: None
) -> Laid:
    """Lay every staged date into the lake; `on_date` hears of dates done and of all."""
    dates = stage.dates()
    laid = Laid()
    for done, of in enumerate(dates, start=1):
        for rows in _portions(stage, of):
            laid += lay_rows(rows, lake, scratch)
        stage.drop(of)
        on_date(done, len(dates))
    logger.info(
        "events laid down: accepted=%d duplicates=%d partitions=%d", laid.accepted, laid.duplicates, laid.partitions
    )
    return laid


def lay_rows(rows: pa.Table, lake: Path, scratch: Path) -> Laid:
    """Lay rows of whole hours into the lake."""
    unique = _first_of_each(rows).sort_by(_SORT).combine_chunks()
    hours = _hours(unique)
    laid = Laid(duplicates=rows.num_rows - unique.num_rows)
    for start, end in runs(hours):
        laid += lay_hour(unique.slice(start, end - start), partition_of(int(hours[start]), lake), scratch)
    return laid


def lay_hour(fresh: pa.Table, folder: Path, scratch: Path) -> Laid:
    """Lay rows of one hour, sorted and with no id twice, into its partition."""
    merged, known = fresh, 0
    if folder.exists():
        held = pa.concat_tables(pq.ParquetFile(file).read() for file in sorted(folder.glob("*.parquet")))
        is_known = pc.is_in(fresh[EVENT_ID], value_set=held[EVENT_ID].combine_chunks())
        new = fresh.filter(pc.invert(is_known))
        if not new.num_rows:
            return Laid(duplicates=fresh.num_rows)
        known = fresh.num_rows - new.num_rows
        merged = pa.concat_tables([held.cast(EVENTS_SCHEMA), new]).sort_by(_SORT)
    name, data = encode_file(merged)
    replace_folder(folder, {name: data}, scratch)
    return Laid(fresh.num_rows - known, known, 1)


def partition_of(hour: int, lake: Path) -> Path:
    """Folder of the partition of an hour, counted from the epoch."""
    moment = np.datetime64(hour, "h").item()
    return EVENTS.partition(lake, moment.strftime("%Y-%m-%d"), moment.strftime("%H"))


def _portions(stage: Stage, of: date) -> Iterator[pa.Table]:
    if stage.staged_bytes(of) <= WHOLE_DATE_BYTES:
        yield pa.concat_tables(stage.pieces(of))
        return
    for hour in range(24):
        kept = (rows.filter(pa.array(_hours(rows) % 24 == hour)) for rows in stage.pieces(of))
        yield pa.concat_tables(kept)


def _first_of_each(rows: pa.Table) -> pa.Table:
    codes = np.asarray(rows[EVENT_ID].combine_chunks().dictionary_encode().indices).astype(np.int64)
    _, first = np.unique(codes * 24 + _hours(rows) % 24, return_index=True)
    return rows if len(first) == rows.num_rows else rows.take(np.sort(first))


def _hours(rows: pa.Table) -> NDArray[np.int64]:
    return microseconds(rows) // _HOUR_MICROSECONDS

"""Rows of a table with a folder an hour: each id once an hour, added as a file of their own or merged with small ones.

To rewrite an hour for every few rows would cost the square of its rows; to leave every few rows in a file of their own
would leave hundreds of files. New rows take in files up to twice their size, as in a merge sort: few files, each row
written a few times.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.lake import DEAD_LETTERS, EVENT_ID, EVENTS, IMPRESSION_ID, IMPRESSIONS, OCCURRED_AT, OFFSET, RECEIVED_AT
from contracts.lake import Table as LakeTable
from ingest.archive_journal import Journal, names_of
from ingest.known_ids import KnownIds
from ingest.schemas import encode_file, schema_of
from ingest.staging import runs

HOUR_MICROSECONDS = 3_600_000_000
MERGED_BYTES = 8 * 1024**2  # files of this size are left alone, which bounds memory: in it they are ten times that
MERGE_FACTOR = 2
LEAST_BYTES = 64 * 1024  # what is smaller costs as much to write; it counts as this


@dataclass(slots=True)
class Added:
    """What came of some rows: new ones, ones the lake had, and the hours (since 1970) that got new ones."""

    accepted: int = 0
    duplicates: int = 0
    hours: list[int] = field(default_factory=list)
    _remember: list[tuple[Path, tuple[str, ...], tuple[str, ...], pa.Array]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class HourlyTable:
    """A table, the column that names a row, the column of its time, and the ids that were seen."""

    table: LakeTable
    key: str
    time: str
    known: KnownIds

    @classmethod
    def of(cls, table: LakeTable, key: str, time: str) -> "HourlyTable":
        """The table with no hour in memory yet."""
        return cls(table, key, time, KnownIds(key))

    def add(self, rows: pa.Table, lake: Path, journal: Journal) -> Added:
        """Stage what is new of `rows`."""
        unique = self._first_of_each(rows).sort_by([(self.time, "ascending"), (self.key, "ascending")])
        unique = unique.combine_chunks()
        hours = self._hours(unique)
        added = Added(duplicates=rows.num_rows - unique.num_rows)
        for start, end in runs(hours):
            self._add_hour(unique.slice(start, end - start), int(hours[start]), lake, journal, added)
        return added

    def remember(self, added: Added) -> None:
        """Note ids as known once the change has happened."""
        for folder, before, after, ids in added._remember:
            self.known.remember(folder, before, after, ids)

    def _add_hour(self, rows: pa.Table, hour: int, lake: Path, journal: Journal, added: Added) -> None:
        moment = np.datetime64(hour, "h").item()
        folder = self.table.partition(lake, moment.strftime("%Y-%m-%d"), moment.strftime("%H"))
        before = names_of(folder)
        unknown = self.known.unknown(rows[self.key].combine_chunks(), folder, before)
        fresh = rows if unknown.all() else rows.filter(pa.array(unknown))
        added.duplicates += rows.num_rows - fresh.num_rows
        if not fresh.num_rows:
            return
        taken = _to_merge(folder, before, max(LEAST_BYTES, fresh.nbytes // 4))
        merged = fresh
        if taken:
            held = [pq.ParquetFile(folder / name).read().cast(schema_of(self.table)) for name in taken]
            order = [(self.time, "ascending"), (self.key, "ascending")]
            merged = pa.concat_tables([*held, fresh]).sort_by(order).combine_chunks()
        name, data = encode_file(merged)
        kept = [held_name for held_name in before if held_name not in taken]
        journal.stage(folder, kept, name, data)
        added.accepted += fresh.num_rows
        added.hours.append(hour)
        ids = fresh[self.key].combine_chunks()
        added._remember.append((folder, before, tuple(sorted({*kept, name})), ids))

    def _first_of_each(self, rows: pa.Table) -> pa.Table:
        codes = np.asarray(rows[self.key].combine_chunks().dictionary_encode().indices).astype(np.int64)
        hours = self._hours(rows)
        order = np.lexsort((np.arange(len(codes)), codes, hours))
        is_first = np.ones(len(order), np.bool_)
        is_first[1:] = (np.diff(hours[order]) != 0) | (np.diff(codes[order]) != 0)
        return rows if is_first.all() else rows.take(pa.array(np.sort(order[is_first])))

    def _hours(self, rows: pa.Table) -> NDArray[np.int64]:
        return np.asarray(pc.cast(rows[self.time], pa.int64())) // HOUR_MICROSECONDS


def hourly_tables() -> dict[str, HourlyTable]:
    """The tables that the archiver adds to, by name."""
    return {
        EVENTS.name: HourlyTable.of(EVENTS, EVENT_ID, OCCURRED_AT),
        IMPRESSIONS.name: HourlyTable.of(IMPRESSIONS, IMPRESSION_ID, OCCURRED_AT),
        DEAD_LETTERS.name: HourlyTable.of(DEAD_LETTERS, OFFSET, RECEIVED_AT),
    }


def _to_merge(folder: Path, names: tuple[str, ...], size: int) -> set[str]:
    """Small files to take in, smallest first."""
    taken: set[str] = set()
    for file_bytes, name in sorted(((folder / name).stat().st_size, name) for name in names):
        if file_bytes > MERGE_FACTOR * size or file_bytes > MERGED_BYTES:
            break
        size += file_bytes
        taken.add(name)
    return taken

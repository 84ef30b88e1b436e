"""The data of an evaluation: events of a lake or of files, split in time, and the past laid into a scratch lake."""

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from contracts.errors import BadInput, MissingInput
from contracts.intervals import parse_instant
from contracts.lake import (
    CATEGORY,
    EVENT_ID,
    EVENT_TYPE,
    EVENTS,
    ITEM_ID,
    ITEMS,
    OCCURRED_AT,
    PRICE,
    REGION,
    USER_ID,
    USERS,
    Table,
)
from contracts.settings import Settings
from ingest.column_plan import KINDS, ColumnPlan
from ingest.import_files import import_files
from ingest.lay_events import lay_down
from ingest.outcome import OnProgress
from ingest.scratch import open_scratch
from ingest.snapshots import merge_snapshot
from ingest.sources import find_files
from ingest.staging import Stage
from models.tables import arrow_schema
from spark_jobs.counted_events import is_counted
from spark_jobs.tombstones import forgotten_users

_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """All that is known: rows of EVENTS, ITEMS and USERS, oldest event first."""

    events: pa.Table
    items: pa.Table
    users: pa.Table

    @property
    def at_seconds(self) -> NDArray[np.int64]:
        """When each event was, epoch seconds."""
        return np.asarray(pc.cast(self.events[OCCURRED_AT], pa.int64())) // _MICRO


@contextmanager
def source_lake(lake: Path, files: Mapping[str, Sequence[str]], on_progress: OnProgress) -> Iterator[Path]:
    """The lake to read: the given one, or with files a passing one that they are imported into."""
    if not any(files.values()):
        yield lake
        return
    if not files["events"]:
        raise BadInput("--items and --users were given without --events; give the events too, or none of the three")
    with tempfile.TemporaryDirectory(prefix="headrace-evaluate-") as folder:
        passing, now = Path(folder) / "lake", datetime.now(UTC)
        for kind, globs in files.items():
            if globs:
                plan = ColumnPlan(KINDS[kind], {}, {}, ())
                import_files(find_files(list(globs)), plan, passing, now=now, on_progress=on_progress)
        yield passing


def read_source(lake: Path, settings: Settings) -> Source:
    """Read a lake and keep the events that an hour would count; MissingInput when there are none."""
    events = _read(EVENTS, lake, partitions=True)
    forgotten = forgotten_users(lake)
    counted = is_counted(events, settings.event_weights)
    for name in (USER_ID, ITEM_ID, EVENT_TYPE, OCCURRED_AT):
        counted = pc.and_(counted, pc.is_valid(events[name]))
    counted = pc.and_(counted, pc.invert(pc.is_in(events[USER_ID], pa.array(sorted(forgotten), pa.string()))))
    events = events.filter(counted).sort_by([(OCCURRED_AT, "ascending"), (EVENT_ID, "ascending")]).combine_chunks()
    if not events.num_rows:
        raise MissingInput(f"{lake} has no events of people with items; import some: python -m headrace import FILE")
    codes = np.asarray(events[EVENT_ID].combine_chunks().dictionary_encode().indices)
    _, first = np.unique(codes, return_index=True)
    return Source(events.take(np.sort(first)), _read(ITEMS, lake), _read(USERS, lake))


def split_instant(source: Source, split: str) -> int:
    """Epoch seconds of the split: a quantile of events such as 0.8, or a date; BadInput when one side is empty."""
    at = source.at_seconds
    try:
        share = float(split)
    except ValueError:
        found = int(parse_instant(split).timestamp())
    else:
        if not 0 < share < 1:
            raise BadInput(f"--split {split} is no share between 0 and 1; write 0.8, or a date such as 2026-01-31")
        found = int(np.quantile(at, share))
    if not at[0] < found <= at[-1]:
        first, last = (datetime.fromtimestamp(int(end), UTC) for end in (at[0], at[-1]))
        raise BadInput(f"--split {split} leaves no events on one side; they go from {first:%F %R} to {last:%F %R}")
    return found


def lay_past(source: Source, split_at: int, hidden: Collection[str], root: Path) -> None:
    """Lay what was known before the split into the empty lake under `root`: events, catalogue, users.

    People in `hidden` are left out. An item that nobody had touched keeps its place in the catalogue and loses its
    price, which may be made of what came after.
    """
    early = source.events.filter(pa.array(source.at_seconds < split_at))
    past = early.filter(pc.invert(pc.is_in(early[USER_ID], pa.array(sorted(hidden), pa.string()))))
    touched = pc.is_in(source.items[ITEM_ID], pc.unique(past[ITEM_ID]))
    prices = pc.if_else(touched, source.items[PRICE], pa.scalar(None, pa.float64()))
    items = source.items.set_column(source.items.schema.get_field_index(PRICE), PRICE, prices)
    lake = root / "lake"
    with open_scratch(lake) as scratch:
        for table, rows in ((ITEMS, items), (USERS, source.users)):
            if rows.num_rows:
                merge_snapshot(table, rows, lake, scratch)
        stage = Stage(scratch)
        stage.add(past)
        lay_down(stage, lake, scratch)


def categories(source: Source) -> dict[str, str | None]:
    """Category of every item of the catalogue."""
    return dict(zip(source.items[ITEM_ID].to_pylist(), source.items[CATEGORY].to_pylist(), strict=True))


def region_names(source: Source) -> dict[str, str | None]:
    """Region of every known user."""
    return dict(zip(source.users[USER_ID].to_pylist(), source.users[REGION].to_pylist(), strict=True))


def _read(table: Table, lake: Path, *, partitions: bool = False) -> pa.Table:
    pattern = "*/*/*.parquet" if partitions else "*.parquet"
    files = [str(file) for file in sorted(table.path(lake).glob(pattern))]
    if not files:
        return arrow_schema(table).empty_table()
    return ds.dataset(files, schema=arrow_schema(table), format="parquet").to_table()

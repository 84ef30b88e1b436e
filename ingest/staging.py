"""Events wait here by date, on disk, until each date is laid down: memory stays bounded whatever comes in."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.lake import OCCURRED_AT
from ingest.schemas import EVENTS_SCHEMA

SPILL_BYTES = 96 * 1024**2
_EPOCH = date(1970, 1, 1)
_DAY_MICROSECONDS = 86_400_000_000


def microseconds(rows: pa.Table) -> NDArray[np.int64]:
    """Event times as int64 microseconds since the epoch."""
    return np.asarray(pc.cast(rows[OCCURRED_AT], pa.int64()))


def runs(values: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Bounds of the stretches of equal values."""
    cuts = np.flatnonzero(values[1:] != values[:-1]) + 1
    return list(pairwise([0, *cuts.tolist(), len(values)])) if len(values) else []


class Stage:
    """Takes events in any order; gives them back a date at a time, each date in the order taken."""

    def __init__(self, folder: Path, *, spill_bytes: int = SPILL_BYTES) -> None:
        self._folder = folder / "stage"
        self._folder.mkdir()
        self._spill_bytes = spill_bytes
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._spill_count = 0

    def add(self, rows: pa.Table) -> None:
        """Take rows of EVENTS_SCHEMA."""
        if not rows.num_rows:
            return
        self._held.append(rows)
        self._held_bytes += rows.nbytes
        if self._held_bytes >= self._spill_bytes:
            self._spill()

    def dates(self) -> list[date]:
        """Dates that have rows, ascending; ends the taking."""
        self._spill()
        return sorted(date.fromisoformat(folder.name) for folder in self._folder.iterdir())

    def pieces(self, of: date) -> Iterator[pa.Table]:
        """Rows of one date, piece by piece."""
        for file in sorted((self._folder / of.isoformat()).iterdir()):
            with pa.OSFile(str(file)) as source, pa.ipc.open_file(source) as reader:
                yield reader.read_all()

    def staged_bytes(self, of: date) -> int:
        """Size on disk of one date."""
        return sum(file.stat().st_size for file in (self._folder / of.isoformat()).iterdir())

    def drop(self, of: date) -> None:
        """Forget a date that was laid down."""
        for file in (self._folder / of.isoformat()).iterdir():
            file.unlink()

    def _spill(self) -> None:
        if not self._held:
            return
        rows = pa.concat_tables(self._held)
        self._held, self._held_bytes = [], 0
        days = microseconds(rows) // _DAY_MICROSECONDS
        order = np.argsort(days, kind="stable")
        days = days[order]
        for start, end in runs(days):
            self._write(_EPOCH + timedelta(days=int(days[start])), rows.take(order[start:end]))
        self._spill_count += 1

    def _write(self, of: date, rows: pa.Table) -> None:
        folder = self._folder / of.isoformat()
        folder.mkdir(exist_ok=True)
        path = str(folder / f"{self._spill_count:06d}.arrow")
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, EVENTS_SCHEMA) as writer:
            writer.write_table(rows.combine_chunks())

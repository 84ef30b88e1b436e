"""What every reader hands on: some rows of a file, where they stood, and what could not be read as a row."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

CHUNK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not accepted: its number in the file (from 1), why, and the row as it was."""

    source_row: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of a file under the file's own column names; `bytes_done` of the file have been read so far."""

    rows: pa.Table
    source_rows: NDArray[np.int64]
    bytes_done: int
    broken: list[Reject] = field(default_factory=list)


def reject_rows(chunk: Chunk, reasons: NDArray[np.object_]) -> list[Reject]:
    """Rejects for the rows of `chunk` that have a reason."""
    bad = np.flatnonzero(reasons != "")
    raw = chunk.rows.take(pa.array(bad)).to_pylist()
    return [
        Reject(int(chunk.source_rows[row]), str(reasons[row]), encode_raw(values))
        for row, values in zip(bad, raw, strict=True)
    ]


def encode_raw(values: dict[str, Any]) -> str:
    """A row as JSON text; bytes that are no UTF-8 are marked."""
    return orjson.dumps(values, default=_readable, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def text_columns(names: Iterable[str], records: list[dict[str, str]]) -> pa.Table:
    """A table of string columns out of records that may lack some of them."""
    return pa.table({name: pa.array([record.get(name) for record in records], pa.string()) for name in names})


def _readable(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)

"""Many Avro payloads become columns at once: every field is read for all rows together, by NumPy.

The rows are laid one after the other in one buffer and each has a cursor. Reading row by row costs ten times as much.
Bytes that do not end where their schema does are told apart, never guessed at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Longs = NDArray[np.int64]
_PADDING = b"\x00" * 16  # so that a cursor at the end may look ahead
_LONG_BYTES, _DOUBLE_BYTES = 10, 8


class Unreadable(Exception):
    """A type of the schema that this module does not read."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Strings by where they lie in the buffer; `rows` ascends, and names each string's row."""

    rows: Longs
    starts: Longs
    lengths: Longs


@dataclass(frozen=True, slots=True)
class Pairs:
    """Entries of maps: keys, and values that are Texts or numbers."""

    keys: Texts
    values: Any


class AvroRows:
    """Payloads of one schema. `columns` holds Longs, floats with NaN for null, Texts or Pairs; `is_bad` marks rows."""

    def __init__(self, payloads: Sequence[bytes], fields: Sequence[dict[str, Any]]) -> None:
        sizes = np.fromiter(map(len, payloads), np.int64, len(payloads))
        joined = b"".join(payloads)
        self.buffer = pa.py_buffer(joined + _PADDING)
        self._bytes = np.frombuffer(self.buffer, np.uint8)
        self._ends = np.cumsum(sizes)
        self._at = self._ends - sizes + 1  # the first byte is the version
        self.is_bad = np.zeros(len(payloads), np.bool_)
        everything = np.arange(len(payloads))
        self.columns = {str(field["name"]): self._reader(field["type"])(everything) for field in fields}
        self.is_bad |= self._at != self._ends

    def strings(self, texts: Texts) -> pa.Array:
        """The strings themselves; pa.ArrowInvalid when one is no UTF-8."""
        bounds = np.empty(2 * len(texts.starts), np.int32)
        bounds[::2], bounds[1::2] = texts.starts, texts.starts + texts.lengths
        if not len(bounds):
            return pa.array([], pa.string())
        # Every other string of this array is what lies between two of ours.
        spans = pa.Array.from_buffers(pa.binary(), len(bounds) - 1, [None, pa.py_buffer(bounds), self.buffer])
        return spans.take(pa.array(np.arange(0, len(bounds), 2))).cast(pa.string())

    def _reader(self, kind: Any) -> Callable[[Longs], Any]:
        if isinstance(kind, dict) and kind["type"] == "array" and kind["items"] == "string":
            return lambda rows: self._repeated(rows, lambda some: (self._texts(some),))[0]
        if isinstance(kind, dict) and kind["type"] == "map" and kind["values"] in ("string", "boolean"):
            value = self._reader(kind["values"])
            return lambda rows: Pairs(*self._repeated(rows, lambda some: (self._texts(some), value(some))))
        if kind == ["null", "double"]:
            return self._optional_doubles
        readers = {"string": self._texts, "long": self._longs, "int": self._longs, "boolean": self._booleans}
        if not isinstance(kind, str) or kind not in readers:
            raise Unreadable(f"Avro type {kind!r}")
        return readers[kind]

    def _longs(self, rows: Longs) -> Longs:
        """Zigzag variable-length integers at the cursors of `rows`."""
        found = np.zeros(len(rows), np.uint64)
        places, at = np.arange(len(rows)), self._at[rows]
        for count in range(_LONG_BYTES):
            byte = self._bytes[np.minimum(at, len(self._bytes) - 1)]
            found[places] |= (byte & 0x7F).astype(np.uint64) << np.uint64(7 * count)
            at = at + 1
            goes_on = byte >= 0x80
            self._at[rows[places[~goes_on]]] = at[~goes_on]
            places, at = places[goes_on], at[goes_on]
            if not len(places):
                break
        self._fail(rows[places])
        return (found >> np.uint64(1)).astype(np.int64) ^ -(found & np.uint64(1)).astype(np.int64)

    def _booleans(self, rows: Longs) -> NDArray[np.bool_]:
        values = self._bytes[np.minimum(self._at[rows], len(self._bytes) - 1)]
        self._at[rows] += 1
        flags: NDArray[np.bool_] = values == 1
        return flags

    def _texts(self, rows: Longs) -> Texts:
        lengths = self._longs(rows)
        starts = self._at[rows]
        is_bad = (lengths < 0) | (lengths > self._ends[rows] - starts)
        self._fail(rows[is_bad])
        lengths[is_bad], starts[is_bad] = 0, np.minimum(starts, self._ends[rows])[is_bad]
        self._at[rows] += lengths
        return Texts(rows, starts, lengths)

    def _optional_doubles(self, rows: Longs) -> NDArray[np.float64]:
        branches = self._longs(rows)
        self._fail(rows[(branches != 0) & (branches != 1)])
        with_value = branches == 1
        at = np.minimum(self._at[rows[with_value]], len(self._bytes) - _DOUBLE_BYTES)
        values = np.full(len(rows), np.nan)
        raw = self._bytes[at[:, None] + np.arange(_DOUBLE_BYTES)]
        values[with_value] = raw.view("<f8")[:, 0]
        self._at[rows[with_value]] += _DOUBLE_BYTES
        return values

    def _repeated(self, rows: Longs, read: Callable[[Longs], tuple[Any, ...]]) -> list[Any]:
        """What an array or map holds: blocks of entries, each block with its count, a count of 0 ending it."""
        parts: list[tuple[Any, ...]] = [read(rows[:0])]
        left = np.zeros(len(rows), np.int64)
        places = np.arange(len(rows))
        while len(places):
            empty = places[left[places] == 0]
            left[empty] = counts = self._longs(rows[empty])
            with_bytes = empty[counts < 0]  # a negative count is followed by the block's size
            self._longs(rows[with_bytes])
            left[with_bytes] *= -1
            places = places[(left[places] > 0) & ~self.is_bad[rows[places]]]
            parts.append(read(rows[places]))
            left[places] -= 1
        columns = list(zip(*parts, strict=True))
        order = np.argsort(np.concatenate([part.rows for part in columns[0]]), kind="stable")
        return [_joined(column, order) for column in columns]

    def _fail(self, rows: Longs) -> None:
        self.is_bad[rows] = True
        self._at[rows] = self._ends[rows]


def _joined(parts: Sequence[Any], order: Longs) -> Any:
    """A column read in turns as one: by row, and within a row in the order read."""
    if isinstance(parts[0], Texts):
        rows, starts, lengths = zip(*((part.rows, part.starts, part.lengths) for part in parts), strict=True)
        return Texts(*(np.concatenate(pieces)[order] for pieces in (rows, starts, lengths)))
    return np.concatenate(parts)[order]

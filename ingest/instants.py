"""Instants as the world writes them: seconds, ms, µs or ns since 1970, or ISO 8601; told apart value by value.

A number below 10^11 in size counts seconds, below 10^14 milliseconds, below 10^17 microseconds, else nanoseconds:
between 1990 and the year 5138 no two of them overlap. ISO 8601 without an offset is UTC.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.time_units import MICROSECONDS_BELOW, MILLISECONDS_BELOW, SECONDS_BELOW

EARLIEST_AT = datetime(1990, 1, 1, tzinfo=UTC)
MOST_AHEAD = timedelta(days=1)
UNREADABLE = np.iinfo(np.int64).min
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_IS_INTEGER, _IS_DECIMAL = r"^[+-]?\d+$", r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_HAS_OFFSET = r"\d[T ].*(Z|[+-]\d{2}(:?\d{2})?)$"

Micros = NDArray[np.int64]


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970 of an aware instant."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def parse_instants(column: pa.Array) -> Micros:
    """Microseconds since 1970 for each value; UNREADABLE where it is missing or no instant."""
    kind = column.type
    missing = np.asarray(column.is_null())
    if pa.types.is_timestamp(kind):
        micros = _of_unit(_filled(column.cast(pa.int64())), kind.unit)
    elif pa.types.is_date(kind):
        micros = _of_unit(_filled(column.cast(pa.timestamp("ms")).cast(pa.int64())), "ms")
    elif pa.types.is_integer(kind):
        micros = _of_integers(_filled(column.cast(pa.int64(), safe=False)))
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        micros = _of_floats(np.asarray(column.cast(pa.float64()).fill_null(float("nan"))))
    elif pa.types.is_string(kind):
        micros = _of_text(column)
    else:
        micros = np.full(len(column), UNREADABLE)
    return np.where(missing, UNREADABLE, micros)


def _filled(column: pa.Array) -> Micros:
    return np.asarray(column.fill_null(0))


def _of_unit(counts: Micros, unit: str) -> Micros:
    if unit == "ns":
        return counts // 1_000
    factor = _UNITS[unit]
    bound = np.iinfo(np.int64).max // factor
    fits = (counts >= -bound) & (counts <= bound)
    return np.where(fits, np.where(fits, counts, 0) * factor, UNREADABLE)


def _of_integers(counts: Micros) -> Micros:
    micros = counts // 1_000
    for below, unit in ((MICROSECONDS_BELOW, "us"), (MILLISECONDS_BELOW, "ms"), (SECONDS_BELOW, "s")):
        smaller = (counts > -below) & (counts < below)
        micros[smaller] = _of_unit(counts[smaller], unit)
    return micros


def _of_floats(counts: NDArray[np.float64]) -> Micros:
    size = np.abs(counts)
    factor = np.select(
        [size < SECONDS_BELOW, size < MILLISECONDS_BELOW, size < MICROSECONDS_BELOW], [1e6, 1e3, 1.0], 1e-3
    )
    with np.errstate(invalid="ignore"):
        scaled = np.round(counts * factor)
        fits = np.abs(scaled) < 2.0**63
    return np.where(fits, np.where(fits, scaled, 0).astype(np.int64), UNREADABLE)


def _of_text(column: pa.Array) -> Micros:
    text = pc.utf8_trim_whitespace(column)
    micros = np.full(len(text), UNREADABLE)
    is_integer = _matches(text, _IS_INTEGER)
    is_decimal = _matches(text, _IS_DECIMAL) & ~is_integer
    micros[is_integer] = _each(text, is_integer, lambda some: _of_integers(_filled(some.cast(pa.int64()))), _of_digits)
    micros[is_decimal] = _each(text, is_decimal, lambda some: _of_floats(np.asarray(some.cast(pa.float64()))), _of_iso)
    text = pc.replace_substring_regex(text, r" ?(UTC|z)$", "Z")
    rest = ~is_integer & ~is_decimal & np.asarray(text.is_valid())
    has_offset = _matches(text, _HAS_OFFSET)
    micros[rest & has_offset] = _each(text, rest & has_offset, _of_offset_iso, _of_iso)
    micros[rest & ~has_offset] = _each(text, rest & ~has_offset, _of_naive_iso, _of_iso)
    return micros


def _each(
    text: pa.Array, chosen: NDArray[np.bool_], fast: Callable[[pa.Array], Micros], one: Callable[[str], int]
) -> Micros:
    """All chosen values at once, or one by one when some of them is odd."""
    some = text.filter(pa.array(chosen))
    if not len(some):
        return np.zeros(0, np.int64)
    try:
        return fast(some)
    except pa.ArrowInvalid:
        return np.array([one(value) for value in some.to_pylist()], np.int64)


def _of_offset_iso(text: pa.Array) -> Micros:
    return np.asarray(text.cast(pa.timestamp("us", "UTC")).cast(pa.int64()))


def _of_naive_iso(text: pa.Array) -> Micros:
    return np.asarray(text.cast(pa.timestamp("us")).cast(pa.int64()))


def _matches(text: pa.Array, pattern: str) -> NDArray[np.bool_]:
    return np.asarray(pc.match_substring_regex(text, pattern).fill_null(False))


def _of_digits(value: str) -> int:
    count = int(value)
    fits = abs(count) <= np.iinfo(np.int64).max
    return int(_of_integers(np.array([count]))[0]) if fits else UNREADABLE


def _of_iso(value: str) -> int:
    try:
        instant = datetime.fromisoformat(value)
        return to_microseconds(instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant)
    except (ValueError, OverflowError):
        return UNREADABLE

"""One instant as the world writes it: seconds, ms, µs or ns since 1970, or ISO 8601; told apart value by value.

A number below 10^11 in size counts seconds, below 10^14 milliseconds, below 10^17 microseconds, else nanoseconds;
`ingest.instants` does the same for whole columns. Nothing is imported here that a server of look-ups must not load.
"""

import math
import re
from datetime import UTC, datetime, timedelta

SECONDS_BELOW, MILLISECONDS_BELOW, MICROSECONDS_BELOW = 10**11, 10**14, 10**17
_MOST = 2**63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LONGEST_TEXT = 64


def read_instant(value: object) -> int | None:
    """Microseconds since 1970 of a number or text; None when it is no instant. ISO 8601 without an offset is UTC."""
    if type(value) is int:
        return _of_integer(value)
    if type(value) is str:
        return _of_text(value)
    if type(value) is float:
        return _of_float(value)
    return None


def _of_integer(count: int) -> int | None:
    size = abs(count)
    if size < SECONDS_BELOW:
        return count * 1_000_000
    if size < MILLISECONDS_BELOW:
        return count * 1_000
    if size < MICROSECONDS_BELOW:
        return count
    return count // 1_000 if size < _MOST else None


def _of_float(count: float) -> int | None:
    size = abs(count)
    if not math.isfinite(count):
        return None
    if size < SECONDS_BELOW:
        return round(count * 1e6)
    if size < MILLISECONDS_BELOW:
        return round(count * 1e3)
    if size < MICROSECONDS_BELOW:
        return round(count)
    return round(count * 1e-3) if size < _MOST else None


def _of_text(text: str) -> int | None:
    try:
        instant = datetime.fromisoformat(text) if "-" in text[1:] else None
    except ValueError:
        instant = None
    if instant is not None:
        return _of_datetime(instant)
    text = text.strip()
    if len(text) > _LONGEST_TEXT or not _NUMBER.fullmatch(text):
        return None
    return _of_integer(int(text)) if text.lstrip("+-").isdigit() else _of_float(float(text))


def _of_datetime(instant: datetime) -> int | None:
    try:
        aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
        return (aware - _EPOCH) // _MICROSECOND
    except OverflowError:
        return None

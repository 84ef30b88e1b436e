"""Instants are told apart whatever their unit, and what is none is never taken for one."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.instants import EARLIEST_AT, UNREADABLE, parse_instants, to_microseconds

INSTANTS = st.datetimes(EARLIEST_AT.replace(tzinfo=None), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# How many microseconds one of a unit has, as a fraction.
UNITS = {"s": (1_000_000, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}


def parse(*values: object, kind: pa.DataType | None = None) -> list[int]:
    return [int(micros) for micros in parse_instants(pa.array(values, kind))]


@pytest.mark.parametrize("unit", UNITS)
@settings(deadline=None)
@given(at=INSTANTS)
def test_a_count_of_any_unit_is_the_same_instant(unit: str, at: datetime) -> None:
    micros = to_microseconds(at)
    multiply, divide = UNITS[unit]
    count = micros * divide // multiply
    expected = count * multiply // divide
    assert parse(count) == parse(str(count)) == [expected]


@settings(deadline=None)
@given(at=INSTANTS, offset=OFFSETS)
def test_iso_8601_of_any_offset_is_the_same_instant(at: datetime, offset: timezone) -> None:
    assert parse(at.astimezone(offset).isoformat()) == [to_microseconds(at)]


@settings(deadline=None)
@given(at=INSTANTS)
def test_decimal_seconds_keep_microseconds(at: datetime) -> None:
    micros = to_microseconds(at)
    assert parse(f"{micros // 1_000_000}.{micros % 1_000_000:06d}")[0] == pytest.approx(micros, abs=1)


@pytest.mark.parametrize(
    "text",
    [
        "2017-01-01T10:00:00Z",
        "2017-01-01 10:00:00",
        "2017-01-01 10:00:00 UTC",
        "2017-01-01T10:00:00z",
        "20170101T100000",
        "2017-01-01T12:00:00+02:00",
        "2017-01-01T12:00:00+0200",
        "2017-01-01T10:00",
        "2017-01-01T10:00:00.000000000Z",
        " 1483264800 ",
        "1483264800.0",
        "1.4832648e9",
    ],
)
def test_common_spellings_are_read(text: str) -> None:
    assert parse(text) == [1_483_264_800_000_000]


def test_one_odd_value_leaves_its_neighbours_alone() -> None:
    column = ["2017-01-01T10:00:00Z", "2017-02-30T10:00:00Z", "hello", None, "1483264800", "9" * 25]
    expected = 1_483_264_800_000_000
    assert parse(*column) == [expected, UNREADABLE, UNREADABLE, UNREADABLE, expected, UNREADABLE]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_a_float_that_is_no_instant_is_unreadable(value: float) -> None:
    assert parse(value) == [UNREADABLE]


@pytest.mark.parametrize("unit", UNITS)
def test_typed_timestamps_keep_their_unit(unit: str) -> None:
    at = datetime(2017, 1, 1, 10)
    assert parse(at, kind=pa.timestamp(unit)) == [1_483_264_800_000_000]
    assert parse(at.replace(tzinfo=UTC), kind=pa.timestamp(unit, "Europe/Paris")) == [1_483_264_800_000_000]


def test_a_typed_timestamp_that_overflows_is_unreadable() -> None:
    assert parse(2**62, kind=pa.timestamp("s")) == [UNREADABLE]


def test_dates_are_midnight_and_other_types_no_instants() -> None:
    assert parse(datetime(2017, 1, 1).date()) == [1_483_228_800_000_000]
    assert parse(True) == [UNREADABLE]

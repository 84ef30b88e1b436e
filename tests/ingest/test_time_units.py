"""One instant is read as columns of them are, whatever unit it comes in."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.instants import UNREADABLE, parse_instants
from ingest.time_units import read_instant

SECONDS = st.integers(1_420_070_400, 4_000_000_000)
INT64 = st.integers(-(2**63) + 1, 2**63 - 1)


@given(SECONDS)
def test_each_unit_is_told_apart(seconds: int) -> None:
    micros = seconds * 1_000_000
    assert {read_instant(seconds * factor) for factor in (1, 10**3, 10**6, 10**9)} == {micros}
    assert read_instant(float(seconds)) == micros == read_instant(str(seconds * 1_000))


@given(INT64)
def test_a_number_means_what_it_means_in_a_column(count: int) -> None:
    assert read_instant(count) == _of_column(pa.array([count])) == read_instant(str(count))


@given(st.floats(allow_nan=False, min_value=-1e18, max_value=1e18))
def test_a_fraction_means_what_it_means_in_a_column(count: float) -> None:
    found, expected = read_instant(count), _of_column(pa.array([count]))
    assert found is not None
    assert expected is not None
    assert abs(found - expected) <= 1


@given(st.datetimes(timezones=st.timezones() | st.none()))
def test_iso_8601_means_what_it_means_in_a_column(instant: object) -> None:
    text = str(instant)
    assert read_instant(text) == _of_column(pa.array([text]))


@pytest.mark.parametrize(
    "value", ["", "noon", "2026-13-01", "2026-01-31T25:00", "9" * 400, "1e400", "٣", True, None, [1], {}, b"1", 2**63]
)
def test_what_is_no_instant_is_none(value: object) -> None:
    assert read_instant(value) is None


@given(st.text(max_size=30) | st.text("0123456789-:T+.eZ ", max_size=30))
def test_no_text_is_too_odd_to_be_asked(text: str) -> None:
    found = read_instant(text)
    assert found is None or isinstance(found, int)


def test_not_a_number_is_no_instant() -> None:
    assert [read_instant(value) for value in (float("nan"), float("inf"), -float("inf"))] == [None] * 3


def _of_column(column: pa.Array) -> int | None:
    micros = int(parse_instants(column)[0])
    return None if micros == UNREADABLE else micros

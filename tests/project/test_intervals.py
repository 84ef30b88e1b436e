"""Intervals: whole hours of UTC, one key an hour."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import BadInput
from contracts.intervals import Interval, format_instant, parse_instant

INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda d: d.replace(tzinfo=UTC))


@given(INSTANTS)
def test_a_key_names_its_hour_and_comes_back(instant: datetime) -> None:
    hour = instant.replace(minute=0, second=0, microsecond=0)
    interval = Interval.of_key(hour.strftime("%Y-%m-%dT%H"))
    assert interval.start_at == hour
    assert Interval.of_key(interval.key) == interval == Interval.ending_at(interval.end_at)


@given(INSTANTS)
def test_an_instant_written_is_read_back_to_the_second(instant: datetime) -> None:
    assert parse_instant(format_instant(instant)) == instant.replace(microsecond=0)


def test_offsets_become_utc_and_naive_instants_are_utc() -> None:
    assert parse_instant("2026-01-31T09:00:00+02:00") == parse_instant("2026-01-31T07:00:00")


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("2026-01-31T07:00", "2026-01-31T07:00", "is empty"),
        ("2026-01-31T08:00", "2026-01-31T07:00", "is empty"),
        ("2026-01-31T07:30", "2026-01-31T09:00", "whole hours"),
        ("yesterday", "2026-01-31T07:00", "no ISO 8601"),
    ],
)
def test_impossible_intervals_say_what_is_wrong(start: str, end: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Interval.parse(start, end)
    with pytest.raises(BadInput, match="interval key"):
        Interval.of_key("noon")

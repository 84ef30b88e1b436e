"""When an event happened by the server's clock: the sender's instant, corrected for a clock that is wrong."""

from datetime import UTC, datetime
from typing import NamedTuple

from ingest.refusals import refuse, shown
from ingest.time_units import read_instant

SECOND = 1_000_000
EARLIEST_AT = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp()) * SECOND
MOST_AHEAD = 300 * SECOND
# The way here takes its time too; only what is more than this is taken for a wrong clock.
SKEW_TOLERANCE = 5 * SECOND
_EPOCH_YEARS = 31_557_600 * SECOND


class Moment(NamedTuple):
    """Microseconds since 1970: by the sender's clock, and by the server's. A tuple, for it is made for every event."""

    as_sent: int
    occurred_at: int
    sent_at: int


def read_moment(occurred: object, sent: object, received_at: int) -> Moment:
    """Both instants of an event; one that the sender's clock puts wrong is moved by received - sent."""
    if occurred is None or occurred == "":
        refuse("*_missing", "there is no occurred_at", "occurred_at")
    as_sent = read_instant(occurred)
    if as_sent is None:
        refuse("occurred_at_unreadable", f"occurred_at is {shown(occurred)}")
    if as_sent < EARLIEST_AT:
        refuse("occurred_at_early", f"occurred_at {shown(occurred)} is {_said(as_sent)}")
    sent_at = read_sent_at(sent)
    skew = received_at - sent_at if sent_at else 0
    occurred_at = as_sent + skew if abs(skew) > SKEW_TOLERANCE else as_sent
    if occurred_at < EARLIEST_AT:
        refuse("occurred_at_early", f"occurred_at {shown(occurred)} is {_said(occurred_at)} by the server's clock")
    if occurred_at > received_at + MOST_AHEAD:
        ahead = (occurred_at - received_at) // SECOND
        refuse("occurred_at_ahead", f"occurred_at {shown(occurred)} is {ahead:,} seconds ahead of the server's clock")
    return Moment(as_sent, occurred_at, sent_at)


def read_sent_at(sent: object) -> int:
    """When the sender says that it sent; 0 when it does not say."""
    if sent is None or sent == "" or (type(sent) is int and sent == 0):
        return 0
    sent_at = read_instant(sent)
    if sent_at is None:
        refuse("sent_at_unreadable", f"sent_at is {shown(sent)}")
    if sent_at < EARLIEST_AT:
        refuse("sent_at_early", f"sent_at {shown(sent)} is {_said(sent_at)}")
    return sent_at


def _said(micros: int) -> str:
    try:
        return datetime.fromtimestamp(micros / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{micros / _EPOCH_YEARS:+,.0f} years from 1970"

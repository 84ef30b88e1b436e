"""The hour as every task names it: [start, end) in UTC, written as one key."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contracts.errors import BadInput

HOUR = timedelta(hours=1)
KEY_FORMAT = "%Y-%m-%dT%H"


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open span of UTC time; an hour unless said otherwise."""

    start_at: datetime
    end_at: datetime

    @property
    def key(self) -> str:
        """Name of the partitions that this interval owns, by the hour it starts in."""
        return self.start_at.strftime(KEY_FORMAT)

    @classmethod
    def parse(cls, start: str, end: str) -> "Interval":
        """Read ISO 8601 bounds; naive ones are UTC. BadInput when empty or not whole hours."""
        interval = cls(parse_instant(start), parse_instant(end))
        if interval.end_at <= interval.start_at:
            raise BadInput(f"interval {start} .. {end} is empty: its end must be after its start")
        if any(at.minute or at.second or at.microsecond for at in (interval.start_at, interval.end_at)):
            raise BadInput(f"interval {start} .. {end} does not lie on whole hours of UTC")
        return interval

    @classmethod
    def of_key(cls, key: str) -> "Interval":
        """The hour that a partition key names."""
        try:
            start_at = datetime.strptime(key, KEY_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            raise BadInput(f"{key!r} is no interval key; they look like 2026-01-31T07") from None
        return cls(start_at, start_at + HOUR)

    @classmethod
    def ending_at(cls, end_at: datetime) -> "Interval":
        """The hour that ends at `end_at`."""
        return cls(end_at - HOUR, end_at)


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant as aware UTC; a naive one is taken as UTC."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no ISO 8601 instant; write 2026-01-31T07:00:00Z") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def format_instant(instant: datetime) -> str:
    """Write an aware instant as ISO 8601 in UTC with a Z, to the second."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""What a demo's root already holds: events up to when, a ranker, head users of an hour."""

from datetime import datetime, timedelta
from pathlib import Path

from contracts.errors import BadInput
from contracts.intervals import KEY_FORMAT, Interval
from contracts.lake import EVENTS, HEAD_USERS, RANK, USER_ID
from contracts.settings import Layout

UNFINISHED = "import.unfinished"
STALE_AFTER = timedelta(days=3)
SAMPLE_IMPORT = ("import", "--sample", "complete-journey", "--shift-to-now")


def events_until(lake: Path) -> datetime | None:
    """End of the newest hour that has events; None for an empty lake."""
    names = sorted(
        f"{hour.parent.name.partition('=')[2]}T{hour.name.partition('=')[2]}"
        for hour in EVENTS.path(lake).glob("date=*/hour=*")
    )
    return Interval.of_key(names[-1]).end_at if names else None


def needs_import(root: Path) -> bool:
    """Whether the sample must be imported: the lake is empty, or an import was cut short."""
    return (root / UNFINISHED).exists() or events_until(Layout(root).lake) is None


def refuse_stale(lake: Path, now: datetime) -> None:
    """Raise BadInput when the newest events are too old to train and recommend for this hour."""
    until = events_until(lake)
    if until is None or now - until > STALE_AFTER:
        raise BadInput(
            f"the demo is about this hour, and the events in {lake} end at {until or 'no hour at all'}; "
            "start over with `make clean demo`, or import newer events"
        )


def training_start(now: datetime, *, day: timedelta = timedelta(days=1)) -> datetime:
    """Start of the day that the demo trains on: it ends a day ago, so that the hours since can be made again."""
    return now.replace(minute=0, second=0, microsecond=0) - 2 * day


def has_ranker(root: Path, label_end_at: datetime) -> bool:
    """Whether a finished ranker exists whose labels ended at this instant or up to a day before it."""
    earliest, latest = ((label_end_at - age).strftime(KEY_FORMAT) for age in (timedelta(days=1), timedelta(0)))
    finished = Layout(root).rankers.glob("*/*manifest.json")
    return any(earliest <= manifest.parent.name <= latest for manifest in finished)


def last_complete_hour(now: datetime) -> Interval:
    """The hour that has just ended."""
    return Interval.ending_at(now.replace(minute=0, second=0, microsecond=0))


def head_user(lake: Path, hour: Interval) -> str:
    """The most active head user of an hour."""
    from models.tables import read_partition

    rows = read_partition(HEAD_USERS, lake, hour.key, columns=[USER_ID, RANK]).sort_by(RANK)
    if not rows.num_rows:
        raise BadInput(f"hour {hour.key} has no head users; were any events imported?")
    return str(rows[USER_ID][0].as_py())

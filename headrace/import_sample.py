"""`import --sample`: the sample laid into the lake, with its counts."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc

from contracts.lake import ITEMS, OCCURRED_AT, USERS
from headrace import sample
from ingest.lay_events import lay_down
from ingest.outcome import OnProgress, Outcome
from ingest.scratch import open_scratch
from ingest.snapshots import merge_snapshot
from ingest.staging import Stage


def import_sample(lake: Path, shift_to: datetime | None, on_progress: OnProgress) -> list[Outcome]:
    """Import the whole sample; with `shift_to`, its last hour becomes the last complete one before that instant."""
    found = sample.read_sample(sample.package_folder())
    events = found.events
    with open_scratch(lake) as scratch:
        hours = 0
        if shift_to is not None:
            hours = sample.hours_to_now(pc.max(events[OCCURRED_AT]).as_py().astimezone(UTC), shift_to)
        events = sample.shift(events, sample.remembered_shift(lake, hours))
        stage = Stage(scratch)
        stage.add(events)
        outcomes = [
            Outcome.of(ITEMS.name, found.items.num_rows, merge_snapshot(ITEMS, found.items, lake, scratch)),
            Outcome.of(USERS.name, found.users.num_rows, merge_snapshot(USERS, found.users, lake, scratch)),
        ]
        laid = lay_down(stage, lake, scratch, lambda done, total: on_progress("laying down", done, total))
    return [Outcome.of("events", events.num_rows, laid), *outcomes]

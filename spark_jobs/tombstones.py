"""People who asked to be forgotten: nothing that they did up to that instant is read by any job."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from contracts.lake import CLEAN_EVENTS, FORGOTTEN_AT, OCCURRED_AT, TOMBSTONES, USER_ID
from contracts.manifest import digest_of
from models.tables import arrow_schema
from spark_jobs.held_files import hold

NO_TOMBSTONES = digest_of()  # of a lake that never had any


def forgotten_users(lake: Path) -> dict[str, datetime]:
    """Everybody who asked to be forgotten, with the instant of the latest request."""
    found: dict[str, datetime] = {}
    for file in hold(lake, TOMBSTONES.path(lake)):
        rows = pq.read_table(file, schema=arrow_schema(TOMBSTONES))
        for user, at in zip(rows[USER_ID].to_pylist(), rows[FORGOTTEN_AT].to_pylist(), strict=True):
            found[user] = max(at, found.get(user, at))
    return found


def days_with_forgotten(lake: Path, days: Collection[str]) -> set[str]:
    """Days whose clean events still hold what a tombstone has forgotten since."""
    forgotten = forgotten_users(lake)
    users = pa.array(sorted(forgotten), pa.string())
    instants = pa.array([forgotten[user] for user in users.to_pylist()], arrow_schema(TOMBSTONES).field(1).type)
    return {day for day in days if _holds(CLEAN_EVENTS.partition(lake, day), users, instants)}


def _holds(folder: Path, users: pa.Array, instants: pa.Array) -> bool:
    files = [str(file) for file in sorted(folder.glob("*.parquet"))]
    if not files or not len(users):
        return False
    events = ds.dataset(files, schema=arrow_schema(CLEAN_EVENTS), format="parquet")
    theirs = events.to_table(columns=[USER_ID, OCCURRED_AT], filter=ds.field(USER_ID).isin(users))
    forgotten_at = instants.take(pc.index_in(theirs[USER_ID].combine_chunks(), users))
    return bool(pc.any(pc.less_equal(theirs[OCCURRED_AT].combine_chunks(), forgotten_at)).as_py())

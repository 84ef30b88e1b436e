"""Build profiles: the bounded state of every known user, as on-demand inference reads it, in bounded memory."""

import logging
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from contracts.features import USER_STATS, USER_STATS_TABLE
from contracts.lake import (
    COUNT_30D,
    EVENT_COUNT,
    FIRST_AT,
    INTERACTIONS,
    ITEM_ID,
    LAST_AT,
    PURCHASE_COUNT,
    TOMBSTONES,
    USER_ID,
    VALUE_SUM,
    WEIGHT,
)
from contracts.profile_table import TABLE_NOTE, table_of
from contracts.user_state import MAX_PROFILE_ITEMS
from models.bundle import read_manifest
from models.profile import Profile
from models.profile_file import MADE_BY, PEOPLE_NOTE, RECORDS_NOTE, note_profile_table, write_profile_file
from models.profile_record import encode_profile
from models.user_state import OwnItems
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.outputs import input_digests
from spark_jobs.people_in_order import people_in_order
from spark_jobs.profile_table import write_profile_table
from spark_jobs.tombstones import forgotten_users

logger = logging.getLogger(__name__)
JOB = "build_profiles"
_OWN = {  # column of the table: field of OwnItems and its type
    WEIGHT: ("weight_scaled", np.int64),
    EVENT_COUNT: ("event_count", np.int32),
    PURCHASE_COUNT: ("purchase_count", np.int32),
    COUNT_30D: ("count_30d", np.int32),
    FIRST_AT: ("first_at", np.int64),
    LAST_AT: ("last_at", np.int64),
    VALUE_SUM: ("value_scaled", np.int64),
}
_FIRST_AT = USER_STATS.index("user_first_at")


def run(context: JobContext) -> None:
    """Write the interval's profiles."""
    watch = Stopwatch()
    inputs = input_digests(context, INTERACTIONS, USER_STATS_TABLE, TOMBSTONES)
    folder = context.layout.profiles / context.key
    notes = {"job": JOB, "interval_key": context.key, "inputs": inputs}
    if context.settings.profiles_url:
        people, digest = write_profile_table(context.settings.profiles_url, context.key, _records(context))
        note_profile_table(
            folder, {**notes, TABLE_NOTE: table_of(context.key), PEOPLE_NOTE: people, RECORDS_NOTE: digest}
        )
    else:
        digest = write_profile_file(folder, _records(context), notes)
        people = read_manifest(folder, made_by=MADE_BY)[PEOPLE_NOTE]
    logger.info(
        "event=job_done job=%s interval=%s rows=%d seconds=%.3f digest=%s",
        *(JOB, context.key, people, watch.seconds, digest),
    )


def _records(context: JobContext) -> Iterator[tuple[str, bytes]]:
    """Everybody with their encoded profile, by id; not those of whom all that is known was to be forgotten."""
    forgotten = {user: at.timestamp() for user, at in forgotten_users(context.lake).items()}
    for pairs, stats in people_in_order(context):
        for user, profile in profiles_of(pairs, stats):
            # the tombstone may be newer than the clean events: whoever began before it waits for the next hour
            if user not in forgotten or profile.user_stats[_FIRST_AT] > forgotten[user]:
                yield user, encode_profile(profile)


def profiles_of(pairs: pa.Table, stats: pa.Table) -> Iterator[tuple[str, Profile]]:
    """The profiles of people, by id, from all their interactions and their one row of statistics each."""
    ordered = pairs.sort_by([(USER_ID, "ascending"), (LAST_AT, "descending"), (ITEM_ID, "ascending")])
    stats = stats.sort_by(USER_ID)
    users = stats[USER_ID].to_pylist()
    rows = np.column_stack([stats[name].to_numpy() for name in USER_STATS]).astype(np.float64)
    columns = {field: ordered[name].to_numpy().astype(kind) for name, (field, kind) in _OWN.items()}
    items = ordered[ITEM_ID].combine_chunks()
    found = dict(zip(*_runs(ordered[USER_ID]), strict=True))
    for user, row in zip(users, rows, strict=True):
        if user in found:
            start, end = found[user]
            end = min(end, start + MAX_PROFILE_ITEMS)
            bounded = {field: values[start:end] for field, values in columns.items()}
            yield user, Profile(OwnItems(tuple(items[start:end].to_pylist()), **bounded), row)


def _runs(users: pa.ChunkedArray) -> tuple[list[str], list[tuple[int, int]]]:
    """The distinct ids of a sorted column, and the rows [start, end) of each."""
    coded = users.combine_chunks().dictionary_encode()
    codes: NDArray[np.int32] = coded.indices.to_numpy()
    bounds = [*np.flatnonzero(np.diff(codes, prepend=-1)).tolist(), len(codes)]
    return coded.dictionary.to_pylist(), list(pairwise(bounds))


if __name__ == "__main__":
    run_alone(run, spark=False)

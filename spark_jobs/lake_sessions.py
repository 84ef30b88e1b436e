"""Sessions out of the lake's clean events: the newest ones, bounded, for the session model."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from contracts.lake import CLEAN_EVENTS, EVENT_ID, EVENT_TYPE, ITEM_ID, OCCURRED_AT, SESSION_ID, USER_ID
from models.id_map import IdMap
from models.sessions import Sessions
from models.tables import read_partition
from spark_jobs.context import JobContext
from spark_jobs.counted_events import is_counted
from spark_jobs.window import DAY_SECONDS, cleaned_days

_COLUMNS = [EVENT_ID, EVENT_TYPE, USER_ID, ITEM_ID, SESSION_ID, OCCURRED_AT]
_NAME = "session_name"
MOST_EVENTS_A_SESSION = 200  # more is no person


@dataclass(frozen=True, slots=True)
class LakeSessions:
    """Sessions over rows of `items`."""

    sessions: Sessions
    items: IdMap


def read_sessions(context: JobContext, end_at: int) -> LakeSessions:
    """Sessions of the newest events before `end_at` (epoch seconds), as many as the settings allow.

    Events that name no session make one a user and day. Events of one instant, as a shop's till notes them, are put in
    an order drawn by their ids, for an order by item would look like one that people chose.
    """
    events = _newest_events(context, end_at)
    names = events[_NAME].combine_chunks().dictionary_encode().indices.to_numpy()
    drawn = pd.util.hash_array(events[EVENT_ID].to_numpy(zero_copy_only=False), categorize=False)
    items = IdMap.of(events[ITEM_ID].unique().to_pylist())
    coded = events[ITEM_ID].combine_chunks().dictionary_encode()
    rows = items.rows(coded.dictionary.to_pylist())[coded.indices.to_numpy()]
    at = events[OCCURRED_AT].cast(pa.int64()).to_numpy() // 1_000_000
    order = np.lexsort((drawn, at))
    order = order[_counted(names[order]) < MOST_EVENTS_A_SESSION]
    return LakeSessions(Sessions.of_clicks(names[order].astype(np.int64), rows[order], at[order]), items)


def _newest_events(context: JobContext, end_at: int) -> pa.Table:
    """Whole days, newest first, until there are enough events; in the order of the lake."""
    days = cleaned_days(context, end_at - context.settings.window_days * DAY_SECONDS, end_at)
    found: list[pa.Table] = []
    for day in reversed(days):
        found.append(_events_of(context, day, end_at))
        if sum(part.num_rows for part in found) >= context.settings.session_events:
            break
    return pa.concat_tables(reversed(found))


def _events_of(context: JobContext, day: str, end_at: int) -> pa.Table:
    events = read_partition(CLEAN_EVENTS, context.lake, day, columns=_COLUMNS)
    before = pc.less(events[OCCURRED_AT].cast(pa.int64()), end_at * 1_000_000)
    kept = events.filter(pc.and_(before, is_counted(events, context.settings.event_weights)))
    session = pc.coalesce(kept[SESSION_ID], pa.scalar(day))
    return kept.append_column(_NAME, pc.binary_join_element_wise(kept[USER_ID], session, "\x1f"))


def _counted(names: np.ndarray) -> np.ndarray:
    """How many events of the same name come before each."""
    order = np.argsort(names, kind="stable")
    ordered = names[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(names) else order
    places = np.empty(len(names), np.int64)
    places[order] = np.arange(len(names)) - np.repeat(first, np.diff(np.append(first, len(names))))
    return places

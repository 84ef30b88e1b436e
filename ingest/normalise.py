"""Rows of a file become rows of events, items or users; what cannot be accepted gets its reason."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.lake import (
    ATTRIBUTES,
    CATEGORY,
    CONTEXT,
    EVENT_ID,
    EVENT_TYPE,
    ITEM_ID,
    ITEMS,
    OCCURRED_AT,
    PRICE,
    QUANTITY,
    REGION,
    SESSION_ID,
    USER_ID,
    VALUE,
)
from ingest.chunks import Chunk, Reject, reject_rows
from ingest.column_plan import ColumnPlan
from ingest.event_ids import content_ids
from ingest.instants import EARLIEST_AT, MOST_AHEAD, UNREADABLE, parse_instants, to_microseconds
from ingest.schemas import EVENTS_SCHEMA, ITEMS_SCHEMA, USERS_SCHEMA
from ingest.string_maps import as_text, map_of_columns, merge_maps, read_maps
from ingest.verdicts import Verdicts


def to_events(chunk: Chunk, plan: ColumnPlan, now: datetime) -> tuple[pa.Table, list[Reject]]:
    """Events among the rows of a chunk, and the rows that are none."""
    rows, verdicts = chunk.rows, Verdicts(chunk.rows.num_rows)
    ids = {name: plan.text(rows, name) for name in (EVENT_ID, EVENT_TYPE, USER_ID, ITEM_ID, SESSION_ID)}
    for name in (EVENT_TYPE, USER_ID, ITEM_ID):
        verdicts.need_id(ids[name], name)
    for name in (EVENT_ID, SESSION_ID):
        verdicts.bound_id(ids[name], name)
    columns = {
        **ids,
        OCCURRED_AT: _read_instants(plan.column(rows, OCCURRED_AT), verdicts, now),
        VALUE: verdicts.read_number(_or_text(plan, rows, VALUE), VALUE),
        QUANTITY: verdicts.read_number(_or_text(plan, rows, QUANTITY), QUANTITY),
        CONTEXT: _read_extra(plan, rows, verdicts, CONTEXT, plan.context),
    }
    events = pa.table(columns, schema=EVENTS_SCHEMA).filter(verdicts.accepted)
    return _with_ids(events), reject_rows(chunk, verdicts.reasons)


def to_entities(chunk: Chunk, plan: ColumnPlan) -> tuple[pa.Table, list[Reject]]:
    """Items or users among the rows of a chunk; columns without a place of their own become attributes."""
    rows, verdicts = chunk.rows, Verdicts(chunk.rows.num_rows)
    is_item = plan.table is ITEMS
    external_id = ITEM_ID if is_item else USER_ID
    columns = {external_id: plan.text(rows, external_id)}
    verdicts.need_id(columns[external_id], external_id)
    if is_item:
        columns[CATEGORY] = plan.text(rows, CATEGORY)
        columns[PRICE] = verdicts.read_number(_or_text(plan, rows, PRICE), PRICE)
    else:
        columns[REGION] = plan.text(rows, REGION)
    columns[ATTRIBUTES] = _read_extra(plan, rows, verdicts, ATTRIBUTES, tuple(plan.extra_names(rows)))
    entities = pa.table(columns, schema=ITEMS_SCHEMA if is_item else USERS_SCHEMA)
    return entities.filter(verdicts.accepted), reject_rows(chunk, verdicts.reasons)


def _read_instants(column: pa.Array, verdicts: Verdicts, now: datetime) -> pa.Array:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_binary(column.type):
        column = as_text(column)
    micros = parse_instants(column)
    readable = micros != UNREADABLE
    verdicts.refuse(np.asarray(column.is_null()), f"{OCCURRED_AT} is missing")
    verdicts.refuse(~readable, f"{OCCURRED_AT} is no instant")
    verdicts.refuse(micros < to_microseconds(EARLIEST_AT), f"{OCCURRED_AT} lies before {EARLIEST_AT.date()}")
    verdicts.refuse(micros > to_microseconds(now + MOST_AHEAD), f"{OCCURRED_AT} lies more than a day ahead")
    return pa.array(np.where(readable, micros, 0)).cast(EVENTS_SCHEMA.field(OCCURRED_AT).type)


def _or_text(plan: ColumnPlan, rows: pa.Table, name: str) -> pa.Array:
    """Numbers as they are; anything that holds text with its empty values as nulls."""
    column = plan.column(rows, name)
    is_number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
    return column if is_number else as_text(column)


def _read_extra(plan: ColumnPlan, rows: pa.Table, verdicts: Verdicts, ours: str, names: tuple[str, ...]) -> pa.Array:
    """The map column `ours` of the file, if any, with the columns `names` added."""
    added = map_of_columns({name: as_text(rows[name]) for name in names if name in rows.column_names}, rows.num_rows)
    column = plan.column(rows, ours)
    if column.null_count == len(column):
        return added
    maps, is_odd = read_maps(column)
    verdicts.refuse(is_odd, f"{ours} is no JSON object")
    return merge_maps(maps, added) if names else maps


def _with_ids(events: pa.Table) -> pa.Table:
    lacking = events[EVENT_ID].is_null()
    if not pc.any(lacking).as_py():
        return events
    ids = pc.replace_with_mask(
        events[EVENT_ID].combine_chunks(), lacking.combine_chunks(), content_ids(events.filter(lacking))
    )
    return events.set_column(0, EVENTS_SCHEMA.field(EVENT_ID), ids)

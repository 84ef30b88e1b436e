"""Entries of the stream become rows of the lake's tables, thousands at a time; what cannot be read is a dead letter."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from contracts import lake
from contracts.dead_letter_contract import decode_dead_letter
from contracts.entity_contract import decode_item, decode_tombstone, decode_user
from contracts.errors import CorruptData
from contracts.event_contract import CONTEXT_PLACEMENT
from contracts.payloads import decode_payload, encode_payload, schema_documents, subject_of_kind
from contracts.records import DEAD_LETTER, EVENT, IMPRESSION, ITEM, TOMBSTONE, USER
from ingest.avro_columns import AvroRows
from ingest.context_maps import Entries, entries_of_column, entries_of_objects, list_offsets, maps_of
from ingest.schemas import DEAD_LETTERS_SCHEMA, EVENTS_SCHEMA, IMPRESSIONS_SCHEMA, INSTANT, schema_of
from ingest.stream import Entry

Rows = dict[str, pa.Table]
ARCHIVE_STAGE, UNREADABLE_REASON = "archive", "unreadable_record"
# Fields of an event that have no column of their own in the lake.
IN_CONTEXT = (lake.RECOMMENDATION_ID, lake.IMPRESSION_ID, lake.ANONYMOUS_ID, lake.SOURCE, "currency")
_PROPERTIES = "properties"
_FIELDS = schema_documents("event")[subject_of_kind(EVENT).newest]["fields"]


def rows_of(entries: Sequence[Entry]) -> Rows:
    """Rows by name of table, in the order of the stream; tables without rows are left out."""
    by_kind: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_kind[entry.record.kind].append(entry)
    letters: list[dict[str, Any]] = []
    tables = {
        lake.EVENTS.name: _events(by_kind.pop(EVENT, []), letters, _event_table),
        lake.IMPRESSIONS.name: _events(by_kind.pop(IMPRESSION, []), letters, _impression_table),
    }
    for kind, (table, read) in _ENTITIES.items():
        found = _each(by_kind.pop(kind, []), read, letters)
        tables[table.name] = pa.Table.from_pylist(found, schema_of(table))
    letters += _each(by_kind.pop(DEAD_LETTER, []), _letter, letters)
    for strangers in by_kind.values():
        letters += [_unreadable(entry, f"a record of kind {entry.record.kind}") for entry in strangers]
    tables[lake.DEAD_LETTERS.name] = pa.Table.from_pylist(letters, DEAD_LETTERS_SCHEMA)
    return {name: rows for name, rows in tables.items() if rows.num_rows}


def _events(
    entries: Sequence[Entry], letters: list[dict[str, Any]], table_of: Callable[[AvroRows], pa.Table]
) -> pa.Table:
    """Rows of events; the batch is looked at one by one only when something in it is odd."""
    payloads = [entry.record.payload for entry in entries]
    newest = subject_of_kind(EVENT).version_byte
    if all(payload.startswith(newest) for payload in payloads):
        read = AvroRows(payloads, _FIELDS)
        if not read.is_bad.any():
            try:
                return table_of(read)
            except pa.ArrowInvalid:  # text that is no UTF-8
                pass
    renewed = _each(entries, lambda entry: {"payload": _renew(entry.record.payload)}, letters)
    return table_of(AvroRows([one["payload"] for one in renewed], _FIELDS))


def _renew(payload: bytes) -> bytes:
    """The payload as the newest schema writes it; CorruptData."""
    return encode_payload(EVENT, decode_payload(EVENT, payload))


def _event_table(read: AvroRows) -> pa.Table:
    texts = {name: read.strings(read.columns[name]) for name in _OWN_TEXTS}
    ids = {name: pc.if_else(pc.equal(texts[name], ""), None, texts[name]) for name in _OWN_TEXTS}
    columns = ids | {
        lake.OCCURRED_AT: pa.array(read.columns[lake.OCCURRED_AT]).cast(INSTANT),
        lake.VALUE: pa.array(read.columns[lake.VALUE], from_pandas=True),
        lake.QUANTITY: pa.array(read.columns[lake.QUANTITY], from_pandas=True),
        lake.CONTEXT: maps_of(_context(read, IN_CONTEXT), len(read.is_bad)),
    }
    return pa.table([columns[name] for name in EVENTS_SCHEMA.names], schema=EVENTS_SCHEMA)


_OWN_TEXTS = (lake.EVENT_ID, lake.EVENT_TYPE, lake.USER_ID, lake.ITEM_ID, lake.SESSION_ID)


def _impression_table(read: AvroRows) -> pa.Table:
    texts = {name: read.strings(read.columns[name]) for name in _IMPRESSION_TEXTS}
    shown, row_count = read.columns[lake.ITEM_IDS], len(read.is_bad)
    context = maps_of(_context(read, (lake.SOURCE,)), row_count)
    impression_id = texts[lake.IMPRESSION_ID]
    columns = {name: pc.if_else(pc.equal(column, ""), None, column) for name, column in texts.items()} | {
        lake.IMPRESSION_ID: pc.if_else(pc.equal(impression_id, ""), texts[lake.EVENT_ID], impression_id),
        lake.PLACEMENT: pc.map_lookup(context, CONTEXT_PLACEMENT, "first"),
        lake.OCCURRED_AT: pa.array(read.columns[lake.OCCURRED_AT]).cast(INSTANT),
        lake.ITEM_IDS: pa.ListArray.from_arrays(
            list_offsets(np.bincount(shown.rows, minlength=row_count)), read.strings(shown)
        ),
        lake.CONTEXT: context,
    }
    return pa.table([columns[name] for name in IMPRESSIONS_SCHEMA.names], schema=IMPRESSIONS_SCHEMA)


_IMPRESSION_TEXTS = (lake.EVENT_ID, lake.IMPRESSION_ID, lake.RECOMMENDATION_ID, lake.USER_ID, lake.ANONYMOUS_ID)


def _context(read: AvroRows, named: Sequence[str]) -> list[Entries]:
    """Fields under their names first, then what the sender called context, then scalar properties."""
    fields = [entries_of_column(name, read.strings(read.columns[name])) for name in named]
    pairs, properties = read.columns[lake.CONTEXT], read.columns[_PROPERTIES]
    given = Entries(pairs.keys.rows, read.strings(pairs.keys), read.strings(pairs.values))
    rows = np.flatnonzero(properties.lengths)
    objects = [orjson.loads(text) for text in read.strings(properties).take(pa.array(rows)).to_pylist()]
    return [*fields, given, entries_of_objects(rows, objects)]


def _each(
    entries: Sequence[Entry], read: Callable[[Entry], dict[str, Any]], letters: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    found = []
    for entry in entries:
        try:
            found.append(read(entry))
        except CorruptData as error:
            letters.append(_unreadable(entry, str(error)))
    return found


def _unreadable(entry: Entry, detail: str) -> dict[str, Any]:
    raw = entry.record.payload
    return {
        lake.LETTER_ID: blake2b(raw, digest_size=16).hexdigest(),
        lake.RECEIVED_AT: int(entry.appended_at * 1e6),
        lake.REASON: UNREADABLE_REASON,
        lake.DETAIL: detail,
        lake.STAGE: ARCHIVE_STAGE,
        lake.SCHEMA_VERSION: raw[0] if raw else 0,
        lake.SOURCE: "",
        lake.OFFSET: entry.offset,
        lake.RAW: raw,
    }


def _letter(entry: Entry) -> dict[str, Any]:
    letter = decode_dead_letter(entry.record.payload)
    values = {name: getattr(letter, name) for name in DEAD_LETTERS_SCHEMA.names if name != lake.OFFSET}
    return values | {lake.OFFSET: entry.offset}


def _item(entry: Entry) -> dict[str, Any]:
    item = decode_item(entry.record.payload)
    return {
        lake.ITEM_ID: item.item_id,
        lake.CATEGORY: item.category or None,
        lake.PRICE: item.price,
        lake.ATTRIBUTES: sorted(item.attributes.items()) or None,
    }


def _user(entry: Entry) -> dict[str, Any]:
    user = decode_user(entry.record.payload)
    attributes = sorted(user.attributes.items()) or None
    return {lake.USER_ID: user.user_id, lake.REGION: user.region or None, lake.ATTRIBUTES: attributes}


def _tombstone(entry: Entry) -> dict[str, Any]:
    tombstone = decode_tombstone(entry.record.payload)
    return {lake.USER_ID: tombstone.user_id, lake.FORGOTTEN_AT: tombstone.forgotten_at}


_ENTITIES = {ITEM: (lake.ITEMS, _item), USER: (lake.USERS, _user), TOMBSTONE: (lake.TOMBSTONES, _tombstone)}

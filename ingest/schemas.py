"""The raw tables of the lake as Arrow schemas, and how their files are written: same rows, same bytes."""

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.lake import (
    DEAD_LETTERS,
    EVENT_TYPE,
    EVENTS,
    IMPRESSIONS,
    ITEM_ID,
    ITEMS,
    OCCURRED_AT,
    REASON,
    RECEIVED_AT,
    REJECTS,
    SESSION_ID,
    TOMBSTONES,
    USER_ID,
    USERS,
    Table,
)

STRING_MAP = pa.map_(pa.string(), pa.string())
INSTANT = pa.timestamp("us", tz="UTC")
_TYPES = {
    "string": pa.string(),
    "binary": pa.binary(),
    "array<string>": pa.list_(pa.string()),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "timestamp": INSTANT,
    "map<string,string>": STRING_MAP,
}
# Dictionaries and statistics only where they pay: most partitions hold some hundred rows.
_DICTIONARIES = [EVENT_TYPE, USER_ID, ITEM_ID, SESSION_ID, REASON]
_STATISTICS = [OCCURRED_AT, RECEIVED_AT]


def schema_of(table: Table) -> pa.Schema:
    """Arrow schema of a raw table, columns in the stated order."""
    return pa.schema([(column.name, _TYPES[column.type]) for column in table.columns])


EVENTS_SCHEMA, ITEMS_SCHEMA, USERS_SCHEMA = schema_of(EVENTS), schema_of(ITEMS), schema_of(USERS)
REJECTS_SCHEMA = schema_of(REJECTS)
IMPRESSIONS_SCHEMA, DEAD_LETTERS_SCHEMA = schema_of(IMPRESSIONS), schema_of(DEAD_LETTERS)
TOMBSTONES_SCHEMA = schema_of(TOMBSTONES)


def encode_file(rows: pa.Table) -> tuple[str, pa.Buffer]:
    """Parquet bytes of `rows` (zstd) and the file name that carries their digest."""
    stream = pa.BufferOutputStream()
    names = rows.column_names
    pq.write_table(
        rows,
        stream,
        compression="zstd",
        store_schema=False,
        use_dictionary=[name for name in _DICTIONARIES if name in names] or False,
        write_statistics=[name for name in _STATISTICS if name in names] or False,
    )
    data = stream.getvalue()
    return f"part-{hashlib.blake2b(data, digest_size=16).hexdigest()}.parquet", data

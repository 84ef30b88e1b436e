"""The tables of the lake: their columns, their partitions, and where they lie.

Column types are Spark SQL's names; `models.tables` turns them into Arrow types. Sums that must not
depend on the order of addition are kept as integers scaled by WEIGHT_SCALE.
"""

from dataclasses import dataclass
from pathlib import Path

WEIGHT_SCALE = 1_000_000

EVENT_ID, EVENT_TYPE, USER_ID, ITEM_ID = "event_id", "event_type", "user_id", "item_id"
OCCURRED_AT, VALUE, QUANTITY, SESSION_ID, CONTEXT = "occurred_at", "value", "quantity", "session_id", "context"
REGION, CATEGORY, PRICE, ATTRIBUTES = "region", "category", "price", "attributes"
WEIGHT, ACTIVITY, RANK, SCORE = "weight_scaled", "activity_scaled", "rank", "score"
NEIGHBOUR_ID, ITEM_IDS, SCORES = "neighbour_id", "item_ids", "scores"
SCOPE, KEY, SEGMENT = "scope", "key", "segment"
ACTIVITY_BAND, RECENCY_BAND, VALUE_BAND, TASTE_CLUSTER = "activity_band", "recency_band", "value_band", "taste_cluster"
LABEL, FEATURES, SEEN_COUNT = "label", "features", "seen_count"
RECOMMENDATION_ID, IMPRESSION_ID, ANONYMOUS_ID = "recommendation_id", "impression_id", "anonymous_id"
RECEIVED_AT, SENT_AT, SOURCE, PLACEMENT, VERSION = "received_at", "sent_at", "source", "placement", "version"
POSITION, CLICKED_AT, PURCHASED_AT = "position", "clicked_at", "purchased_at"
STAGE, SCHEMA_VERSION, OFFSET, LETTER_ID, FORGOTTEN_AT = (
    "stage",
    "schema_version",
    "offset",
    "letter_id",
    "forgotten_at",
)
SOURCE_FILE, SOURCE_ROW, REASON, DETAIL, RAW = "source_file", "source_row", "reason", "detail", "raw"

EVENT_COUNT, PURCHASE_COUNT, COUNT_30D = "event_count", "purchase_count", "count_30d"
FIRST_AT, LAST_AT, VALUE_SUM = "first_at", "last_at", "value_scaled"

# Event types that mean something to a feature; any other name is weighed by the settings alone.
PURCHASE = "purchase"
# Attribute of an item; "false" takes it out of every list.
AVAILABLE = "available"

DATE, HOUR, INTERVAL = "date", "hour", "interval"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name and Spark SQL type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Table:
    """A folder of Parquet partitions under the lake."""

    name: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = (INTERVAL,)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in the stated order, partition columns not among them."""
        return tuple(column.name for column in self.columns)

    @property
    def spark_ddl(self) -> str:
        """Schema as Spark reads it."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)

    def path(self, lake: Path) -> Path:
        """Folder of the whole table."""
        return lake / self.name

    def partition(self, lake: Path, *values: str) -> Path:
        """Folder of one partition; `values` in the order of `partition_by`."""
        parts = (f"{name}={value}" for name, value in zip(self.partition_by, values, strict=True))
        return self.path(lake).joinpath(*parts)


def define_table(name: str, columns: str, partition_by: tuple[str, ...] = (INTERVAL,)) -> Table:
    """Read a table from "name type; name type", the form that reads well in this file."""
    pairs = (column.split() for column in columns.split(";"))
    return Table(name, tuple(Column(name, kind) for name, kind in pairs), partition_by)


_EVENT = (
    f"{EVENT_ID} string; {EVENT_TYPE} string; {USER_ID} string; {ITEM_ID} string; {OCCURRED_AT} timestamp; "
    f"{VALUE} double; {QUANTITY} double; {SESSION_ID} string; {CONTEXT} map<string,string>"
)

# Written by import and the archiver; one folder an hour of event time. Of an event that was posted, `context` also
# keeps recommendation_id, anonymous_id, source, currency and scalar properties, each under its own name.
EVENTS = define_table("events", _EVENT, (DATE, HOUR))
# Written by the archiver: lists as a client says that it showed them, in the order of positions.
IMPRESSIONS = define_table(
    "impressions",
    f"{IMPRESSION_ID} string; {RECOMMENDATION_ID} string; {USER_ID} string; {ANONYMOUS_ID} string; {PLACEMENT} string; "
    f"{OCCURRED_AT} timestamp; {ITEM_IDS} array<string>; {CONTEXT} map<string,string>",
    (DATE, HOUR),
)
# Written by the archiver, by the hour of receipt: what the gate refused, as it came.
DEAD_LETTERS = define_table(
    "dead_letters",
    f"{LETTER_ID} string; {RECEIVED_AT} timestamp; {SENT_AT} timestamp; {REASON} string; {DETAIL} string; "
    f"{STAGE} string; {SCHEMA_VERSION} int; {SOURCE} string; {OFFSET} string; {RAW} binary",
    (DATE, HOUR),
)
# Latest request of each person to be forgotten; one file, replaced whole.
TOMBSTONES = define_table("tombstones", f"{USER_ID} string; {FORGOTTEN_AT} timestamp", ())
REJECTS = define_table(
    "rejects", f"{SOURCE_FILE} string; {SOURCE_ROW} bigint; {REASON} string; {RAW} string", ("import_id",)
)
# Latest known attributes; one file a table, replaced whole.
ITEMS = define_table(
    "items", f"{ITEM_ID} string; {CATEGORY} string; {PRICE} double; {ATTRIBUTES} map<string,string>", ()
)
USERS = define_table("users", f"{USER_ID} string; {REGION} string; {ATTRIBUTES} map<string,string>", ())

# Written by the hour. Clean events are compacted to one folder a day, so that a year is 365 reads.
CLEAN_EVENTS = define_table("clean_events", _EVENT, (DATE,))
# One row a user and item; whatever the two stages know of a pair. `weight_scaled` is decayed to the interval's end.
INTERACTIONS = define_table(
    "interactions",
    f"{USER_ID} string; {ITEM_ID} string; {WEIGHT} bigint; {EVENT_COUNT} int; {PURCHASE_COUNT} int; "
    f"{COUNT_30D} int; {FIRST_AT} bigint; {LAST_AT} bigint; {VALUE_SUM} bigint",
)
HEAD_USERS = define_table("head_users", f"{USER_ID} string; {RANK} int; {ACTIVITY} bigint")
HEAD_ITEMS = define_table("head_items", f"{ITEM_ID} string; {RANK} int; {ACTIVITY} bigint")
NEIGHBOURS = define_table("neighbours", f"{ITEM_ID} string; {NEIGHBOUR_ID} string; {RANK} int; {SCORE} float")
SEGMENTS = define_table(
    "segments",
    f"{USER_ID} string; {ACTIVITY_BAND} string; {RECENCY_BAND} string; {VALUE_BAND} string; "
    f"{TASTE_CLUSTER} int; {SEGMENT} string; {REGION} string",
)
LISTS = define_table("lists", f"{USER_ID} string; {ITEM_IDS} array<string>; {SCORES} array<float>")
POPULAR = define_table("popular", f"{SCOPE} string; {KEY} string; {ITEM_IDS} array<string>; {SCORES} array<float>")
SIMILAR = define_table("similar", f"{ITEM_ID} string; {ITEM_IDS} array<string>; {SCORES} array<float>")
# Candidates of people as the hour knew them, and of moments in sessions, after `seen_count` events: 0 is the hour.
TRAINING_SET = define_table(
    "training_set",
    f"{USER_ID} string; {SEEN_COUNT} int; {ITEM_ID} string; {LABEL} int; {FEATURES} array<float>",
)

# One row an item shown: what came of it within the attribution window, and the features of that moment.
ATTRIBUTIONS = define_table(
    "attributions",
    f"{IMPRESSION_ID} string; {RECOMMENDATION_ID} string; {VERSION} string; {USER_ID} string; {ITEM_ID} string; "
    f"{PLACEMENT} string; {SOURCE} string; {POSITION} int; {OCCURRED_AT} timestamp; {CLICKED_AT} timestamp; "
    f"{PURCHASED_AT} timestamp; {VALUE} double; {FEATURES} array<float>",
)

# POPULAR.scope
OVERALL, TRENDING, BY_REGION, BY_CATEGORY, BY_SEGMENT = "overall", "trending", "region", "category", "segment"

"""The keys and values of one version, from the hour's partitions; the keys alone, to remove them again."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contracts import lake as columns
from contracts.answers import SOURCE_HEAD, SOURCE_POPULAR, SOURCE_SIMILAR
from contracts.lake import LISTS, POPULAR, SEGMENTS, SIMILAR, Table
from contracts.redis_layout import list_key, popular_key, profile_key, similar_key
from spark_jobs.answer_encoding import ListEncoder, Voice
from spark_jobs.redis_writer import Entry

ROWS_AT_ONCE = 2_048
HEAD_REASON, SIMILAR_REASON = "chosen for you this hour", "often chosen together"
POPULAR_REASONS = {
    columns.OVERALL: "popular with everyone",
    columns.TRENDING: "trending now",
    columns.BY_REGION: "popular in your region",
    columns.BY_CATEGORY: "popular in this category",
    columns.BY_SEGMENT: "popular with people like you",
}


@dataclass(frozen=True, slots=True)
class VersionName:
    """What stands in every key and every answer of a version."""

    version: str
    generated_at: str

    def voice(self, source: str, reason: str) -> Voice:
        """What the answers of one kind say alike."""
        return Voice(source, reason, self.version, self.generated_at)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of key: the table it comes from, how rows become entries, how they become keys alone."""

    table: Table
    key_columns: tuple[str, ...]
    entries: Callable[[Iterator[pa.RecordBatch], VersionName], Iterator[Entry]]
    key: Callable[..., str]


def entries_of(
    kind: Kind, lake: Path, *, interval_key: str, name: VersionName, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[Entry]:
    """Yield key and value of each row of the hour's partition, in the order of the files."""
    return kind.entries(_batches(kind.table, lake, interval_key=interval_key, rows_at_once=rows_at_once), name)


def keys_of(kind: Kind, lake: Path, *, interval_key: str, version: str) -> Iterator[str]:
    """Yield the keys that the hour's partition stands for; none when the lake no longer has it."""
    for batch in _batches(kind.table, lake, interval_key=interval_key, names=list(kind.key_columns)):
        for values in zip(*(batch.column(name).to_pylist() for name in kind.key_columns), strict=True):
            yield kind.key(version, *(value or "" for value in values))


def _lists(batches: Iterator[pa.RecordBatch], name: VersionName) -> Iterator[Entry]:
    encoder = ListEncoder(name.voice(SOURCE_HEAD, HEAD_REASON))
    for batch in batches:
        users = batch.column(columns.USER_ID).to_pylist()
        for user, value in zip(users, encoder.encode(users, batch), strict=True):
            yield list_key(name.version, user), value


def _similar(batches: Iterator[pa.RecordBatch], name: VersionName) -> Iterator[Entry]:
    encoder = ListEncoder(name.voice(SOURCE_SIMILAR, SIMILAR_REASON))
    for batch in batches:
        items = batch.column(columns.ITEM_ID).to_pylist()
        for item, value in zip(items, encoder.encode(items, batch), strict=True):
            yield similar_key(name.version, item), value


def _popular(batches: Iterator[pa.RecordBatch], name: VersionName) -> Iterator[Entry]:
    encoders = {scope: ListEncoder(name.voice(SOURCE_POPULAR, reason)) for scope, reason in POPULAR_REASONS.items()}
    for batch in batches:
        scopes, keys = (batch.column(column).to_pylist() for column in (columns.SCOPE, columns.KEY))
        for row, (scope, key) in enumerate(zip(scopes, keys, strict=True)):
            subject = f"{scope}/{key}" if key else scope
            (value,) = encoders[scope].encode([subject], batch.slice(row, 1))
            yield popular_key(name.version, scope, key or ""), value


def _profiles(batches: Iterator[pa.RecordBatch], name: VersionName) -> Iterator[Entry]:
    made: dict[tuple[str, str], bytes] = {}  # a few hundred distinct values serve millions of users
    for batch in batches:
        parts = (batch.column(column).to_pylist() for column in (columns.USER_ID, columns.SEGMENT, columns.REGION))
        for user, segment, region in zip(*parts, strict=True):
            value = made.get((segment, region))
            if value is None:
                value = made[segment, region] = encode_profile(segment, region)
            yield profile_key(name.version, user), value


def encode_profile(segment: str | None, region: str | None) -> bytes:
    """Value of a profile key; what is not known is an empty string."""
    fields = {columns.SEGMENT: segment or "", columns.REGION: region or ""}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _batches(
    table: Table, lake: Path, *, interval_key: str, names: list[str] | None = None, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[pa.RecordBatch]:
    for file in sorted(table.partition(lake, interval_key).glob("*.parquet")):
        with pq.ParquetFile(file) as opened:
            yield from opened.iter_batches(rows_at_once, columns=names)


# Lists last: they are the bulk, and a server that refuses does so on the small kinds before them.
KINDS = (
    Kind(POPULAR, (columns.SCOPE, columns.KEY), _popular, popular_key),
    Kind(SIMILAR, (columns.ITEM_ID,), _similar, similar_key),
    Kind(SEGMENTS, (columns.USER_ID,), _profiles, profile_key),
    Kind(LISTS, (columns.USER_ID,), _lists, list_key),
)

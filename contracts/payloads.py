"""Payloads of records: one byte of schema version, then Avro without a header, written by the newest schema.

Every version that was ever written stays in contracts/schemas/<subject>/v<N>.avsc; a payload of an older or newer one
known here is read as the newest, by Avro's rules of schema resolution.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any, cast

import fastavro

from contracts.errors import CorruptData
from contracts.records import DEAD_LETTER, EVENT, IMPRESSION, ITEM, KINDS, TOMBSTONE, USER

# Impressions are events that say what was shown, so both kinds share one schema.
SUBJECT_OF = {
    EVENT: "event",
    IMPRESSION: "event",
    ITEM: "item",
    USER: "user",
    TOMBSTONE: "tombstone",
    DEAD_LETTER: "dead_letter",
}
SUBJECTS = tuple(dict.fromkeys(SUBJECT_OF.values()))
_WRITE, _READ = fastavro.schemaless_writer, fastavro.schemaless_reader


@dataclass(frozen=True, slots=True)
class Subject:
    """All versions of one schema, as parsed by fastavro; `newest` is the version that is written."""

    versions: Mapping[int, Any]
    newest: int
    newest_schema: Any
    version_byte: bytes


def schema_documents(subject: str) -> dict[int, dict[str, Any]]:
    """The .avsc files of a subject as JSON documents, by version, oldest first."""
    folder = files("contracts").joinpath("schemas", subject)
    found = {int(file.name.removeprefix("v").removesuffix(".avsc")): file.read_text() for file in folder.iterdir()}
    return {version: json.loads(found[version]) for version in sorted(found)}


@cache
def subject_of_kind(kind: str) -> Subject:
    """The schemas that a kind of record is written and read by."""
    versions = {n: fastavro.parse_schema(text) for n, text in schema_documents(SUBJECT_OF[kind]).items()}
    newest = max(versions)
    return Subject(versions, newest, versions[newest], bytes([newest]))


def encode_payload(kind: str, values: Mapping[str, Any]) -> bytes:
    """Bytes of a record's payload; fields that `values` leaves out take their defaults."""
    subject = subject_of_kind(kind)
    buffer = BytesIO()
    buffer.write(subject.version_byte)
    _WRITE(buffer, subject.newest_schema, values)
    return buffer.getvalue()


def decode_payload(kind: str, payload: bytes) -> dict[str, Any]:
    """Fields of a payload by the newest schema; CorruptData when its version is unknown or its bytes do not fit."""
    if kind not in KINDS:
        raise CorruptData(f"a record of kind {kind!r} is unknown here; the kinds are {', '.join(KINDS)}")
    subject = subject_of_kind(kind)
    version = payload[0] if payload else 0
    if version not in subject.versions:
        known = ", ".join(map(str, subject.versions))
        raise CorruptData(
            f"a payload of kind {kind} has schema version {version}; known are {known}: "
            "upgrade this process to the version that wrote it"
        )
    buffer = BytesIO(payload)
    buffer.seek(1)
    reader = None if version == subject.newest else subject.newest_schema
    try:
        values = cast(dict[str, Any], _READ(buffer, subject.versions[version], reader))
    except Exception as error:  # fastavro raises whatever its bytes happen to cause: EOF, index, Unicode, value errors
        raise CorruptData(f"a payload of kind {kind} is no Avro of schema version {version}: {error!r}") from error
    if buffer.read(1):
        raise CorruptData(f"a payload of kind {kind} goes on after its schema version {version} has ended")
    return values

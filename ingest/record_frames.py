"""A record as bytes: what a stream entry, a Kafka message and a frame of the spool hold."""

import struct

from contracts.errors import BadInput, CorruptData
from contracts.records import DEAD_LETTER, EVENT, IMPRESSION, ITEM, TOMBSTONE, USER, Record

# Form, kind, bytes of the key, hour of the bucket, digest; then the key in UTF-8, then the payload.
_HEAD = struct.Struct("<BBHiq")
_FORM = 1
# Numbers are for ever: what lies in a stream or a spool outlives the program that wrote it.
_KINDS = {1: EVENT, 2: IMPRESSION, 3: ITEM, 4: USER, 5: TOMBSTONE, 6: DEAD_LETTER}
_NUMBERS = {kind: number for number, kind in _KINDS.items()}
_KEY_BYTES = 0xFFFF
# Kind of what lay in a stream and is no record; its payload is the bytes as found.
UNREADABLE = "unreadable"


def encode_record(record: Record) -> bytes:
    """Pack a record; BadInput for a kind that is none or a key beyond 64 KiB."""
    key = record.key.encode()
    number = _NUMBERS.get(record.kind)
    if number is None:
        raise BadInput(f"record kind {record.kind!r} is unknown; there are {', '.join(_NUMBERS)}")
    if len(key) > _KEY_BYTES:
        raise BadInput(f"a record's key has {len(key)} bytes; at most {_KEY_BYTES} fit")
    return b"%b%b%b" % (_HEAD.pack(_FORM, number, len(key), record.bucket_hour, record.digest), key, record.payload)


def decode_record(data: bytes) -> Record:
    """Unpack a record; CorruptData when the bytes are none."""
    try:
        form, number, key_bytes, bucket_hour, digest = _HEAD.unpack_from(data)
        start = _HEAD.size + key_bytes
        if form != _FORM or len(data) < start:
            raise ValueError(f"form {form}, {len(data)} bytes")
        return Record(_KINDS[number], data[_HEAD.size : start].decode(), data[start:], digest, bucket_hour)
    except (struct.error, KeyError, ValueError) as error:
        raise CorruptData(f"{len(data)} bytes were to be a record and are none: {error}") from error


def decode_or_wrap(data: bytes) -> Record:
    """Unpack a record; bytes that are none become one of kind UNREADABLE, so that they stop nobody and are not lost."""
    try:
        return decode_record(data)
    except CorruptData:
        return Record(UNREADABLE, "", data)

"""What travels on the stream: records of a few kinds, with a payload that only the kind's schema reads."""

from dataclasses import dataclass

EVENT, IMPRESSION, ITEM, USER = "event", "impression", "item", "user"
TOMBSTONE, DEAD_LETTER = "tombstone", "dead_letter"
KINDS = (EVENT, IMPRESSION, ITEM, USER, TOMBSTONE, DEAD_LETTER)


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `key` is the user or item that order matters for; `payload` is a byte of schema version, then Avro.

    `digest` (signed, 64 bits) names what must count once, within the hour `bucket_hour` (hours since 1970 of the
    instant that the sender gave, which a retry repeats); a digest of 0 is never a duplicate.
    """

    kind: str
    key: str
    payload: bytes
    digest: int = 0
    bucket_hour: int = 0

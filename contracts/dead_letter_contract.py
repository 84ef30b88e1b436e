"""Dead letters as the stream carries them: the bytes that the gate refused, and why."""

from dataclasses import dataclass
from hashlib import blake2b

from contracts.payloads import decode_payload, encode_payload
from contracts.records import DEAD_LETTER, Record

# Where a letter was refused: its bytes, its fields and their types, or what they say together.
PARSE, FORM, MEANING = "parse", "form", "meaning"
STAGES = (PARSE, FORM, MEANING)
_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What was refused, as it came; instants are microseconds since 1970.

    `sent_at` is what the batch around it said of its sending, by the sender's clock; 0 when it said nothing.
    """

    letter_id: str
    received_at: int
    reason: str
    detail: str
    stage: str
    schema_version: int
    source: str
    raw: bytes
    sent_at: int = 0


def letter_id_of(source: str, raw: bytes) -> str:
    """Id of a letter by what it says, so that a sender who tries the same again makes no other letter of it."""
    return blake2b(raw, digest_size=_ID_BYTES, key=blake2b(source.encode(), digest_size=_ID_BYTES).digest()).hexdigest()


def record_of_dead_letter(letter: DeadLetter) -> Record:
    """The record of a letter. Each refusal is kept, so that refusals can be counted; readers join them by id."""
    values = {
        "letter_id": letter.letter_id,
        "received_at": letter.received_at,
        "reason": letter.reason,
        "detail": letter.detail,
        "stage": letter.stage,
        "schema_version": letter.schema_version,
        "source": letter.source,
        "raw": letter.raw,
        "sent_at": letter.sent_at,
    }
    return Record(DEAD_LETTER, letter.letter_id, encode_payload(DEAD_LETTER, values))


def decode_dead_letter(payload: bytes) -> DeadLetter:
    """The letter of a payload; CorruptData when it is none."""
    return DeadLetter(**decode_payload(DEAD_LETTER, payload))

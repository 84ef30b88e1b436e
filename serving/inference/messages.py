"""What a server asks of the inference service, and what comes back: msgpack arrays behind a fixed header.

A frame is a header and a body. Header of a request: body length, time budget in ms, number, 16 bytes that equal
questions share. Header of a reply: body length, status, number. Whoever hands a frame on never reads its body.
"""

import hashlib
import struct
from typing import Any

import msgspec

REQUEST_HEADER = struct.Struct("!IIQ16s")  # body bytes, budget ms, number, digest
REPLY_HEADER = struct.Struct("!IBQ")  # body bytes, status, number
MAX_BODY_BYTES = 1024**2
DIGEST_BYTES = 16

# Status of a reply. The body of all but ANSWERED is empty or a sentence in UTF-8.
ANSWERED, BUSY, LATE, FAILED, NOT_READY = range(5)


class TailContext(msgspec.Struct, frozen=True, array_like=True):
    """Where the answer will be shown; "" is not known."""

    placement: str = ""
    region: str = ""
    device: str = ""


class TailAsk(msgspec.Struct, frozen=True, array_like=True):
    """One question about one person; equal questions give equal bytes.

    `events` are rows of contracts.overlay.SessionEvent, oldest first. `items`, when not None, are all that may appear,
    and all of them do: a list to be ranked. `filter` is the predicate over item attributes as canonical JSON, or empty.
    """

    user_id: str
    limit: int
    seq: int = 0
    events: list[tuple[str, str, str, int, float | None]] = []
    excluded: list[str] = []
    forgotten_ms: int = 0
    filter: str = ""
    items: list[str] | None = None
    context: TailContext = TailContext()

    def encode(self) -> bytes:
        """Body of a request."""
        return _encoder.encode(self)


class TailAnswer(msgspec.Struct, frozen=True, array_like=True):
    """Items best first with their scores, of which version of lists the models are, and what is known of the person.

    `known_items` and `session_items` count what the answer stands on; `timings_ms` are stages in order of work.
    """

    version: str
    item_ids: list[str]
    scores: list[float]
    known_items: int
    session_items: int
    timings_ms: list[tuple[str, float]]


_encoder = msgspec.msgpack.Encoder()
decode_ask = msgspec.msgpack.Decoder(TailAsk).decode
decode_answer = msgspec.msgpack.Decoder(TailAnswer).decode


def digest_of(body: bytes) -> bytes:
    """What equal questions share."""
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()


def encode_answer(answer: TailAnswer) -> bytes:
    """Body of an answered reply."""
    return _encoder.encode(answer)


def pack_request(number: int, budget_ms: int, body: bytes) -> bytes:
    """One frame to send."""
    return REQUEST_HEADER.pack(len(body), budget_ms, number, digest_of(body)) + body


def pack_reply(number: int, status: int, body: bytes = b"") -> bytes:
    """One frame to answer with."""
    return REPLY_HEADER.pack(len(body), status, number) + body


def to_row(values: Any) -> tuple[str, str, str, int, float | None]:
    """A SessionEvent, or a JSON array of one, as `TailAsk.events` takes it."""
    event_id, event_type, item_id, at_ms, value = values
    return event_id, event_type, item_id, at_ms, value

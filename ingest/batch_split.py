"""The events of a body, each as its own bytes, so that one that is broken does not spoil its neighbours.

What is JSON is cut by msgspec in a pass; what is not is cut by its brackets and commas outside of strings.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

EVENTS, SENT_AT = "events", "sent_at"
_ARRAY: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{},]', re.DOTALL)
_MEMBER = re.compile(rb'\s*"([^"\\]*)"\s*:(.*)', re.DOTALL)
_EVENTS_NAME = b'"events"'
_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Batch:
    """Bytes of each event, those of the batch's own sent_at (None when absent), and names that mean nothing here."""

    pieces: list[bytes]
    sent_at: bytes | None = None
    strange_names: tuple[str, ...] = ()


def split_batch(body: bytes) -> Batch:
    """An event alone, an array of events, or an object that has the array under `events`."""
    body = body.removeprefix(_BYTE_ORDER_MARK).strip(_SPACE)
    if body[:1] == b"[":
        return Batch(_split_array(body))
    if body[:1] != b"{" or _EVENTS_NAME not in body:
        return Batch([body])
    members = _split_object(body)
    events = members.get(EVENTS, b"").strip(_SPACE)
    if not events or events[:1] != b"[":
        return Batch([body])
    strange = tuple(name for name in members if name not in (EVENTS, SENT_AT))
    return Batch(_split_array(events), members.get(SENT_AT), strange)


def _split_array(body: bytes) -> list[bytes]:
    try:
        return [bytes(piece) for piece in _ARRAY.decode(body)]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return cut_by_commas(body)


def _split_object(body: bytes) -> dict[str, bytes]:
    try:
        return {name: bytes(value) for name, value in _OBJECT.decode(body).items()}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        found = (_MEMBER.fullmatch(piece) for piece in cut_by_commas(body))
        return {match[1].decode(errors="replace"): match[2] for match in found if match}


def cut_by_commas(body: bytes) -> list[bytes]:
    """What stands between the commas of the outermost bracket; bytes behind its end are one piece more."""
    pieces = [piece.strip(_SPACE) for piece in _cut(body)]
    return [] if pieces == [b""] else pieces


def _cut(body: bytes) -> Iterator[bytes]:
    depth, start = 1, 1
    for token in _TOKEN.finditer(body, 1):
        sign = token[0]
        if sign == b"," and depth == 1:
            yield body[start : token.start()]
            start = token.end()
        elif sign in (b"[", b"{"):
            depth += 1
        elif sign in (b"]", b"}"):
            depth -= 1
            if not depth:
                yield body[start : token.start()]
                if rest := body[token.end() :].strip(_SPACE):
                    yield rest
                return
    yield body[start:]

"""Bodies of requests: of a stated type, bounded as sent and as unpacked, read once."""

import zlib
from collections.abc import Collection

import orjson
from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

JSON, TEXT = "application/json", "text/plain"
MAX_BODY_BYTES = 256 * 1024
GZIP_WINDOW = 16 + zlib.MAX_WBITS


def read_body(request: Request, *, types: Collection[str] = (JSON,), limit: int = MAX_BODY_BYTES) -> bytes:
    """Bytes of the body, unpacked; 415 for another type or coding, 413 beyond the limit, 400 for a broken gzip."""
    if request.mimetype not in types:
        found = request.mimetype or "none"
        raise UnsupportedMediaType(f"the Content-Type is {found}; send {' or '.join(types)}")
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise UnsupportedMediaType(f"the Content-Encoding is {coding[:40]!r}; send gzip or none")
    request.max_content_length = limit
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise _too_large(limit) from None
    return body if coding == "identity" else unpack(body, limit)


def unpack(body: bytes, limit: int = MAX_BODY_BYTES) -> bytes:
    """Unpack gzip, never more than the limit and a byte."""
    unpacking = zlib.decompressobj(GZIP_WINDOW)
    try:
        plain = unpacking.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadRequest(f"the body is no gzip, though Content-Encoding says so: {error}") from error
    if len(plain) > limit:
        raise _too_large(limit)
    if not unpacking.eof or unpacking.unused_data:
        raise BadRequest("the body is not one whole gzip stream; it ends too early, or goes on behind its end")
    return plain


def read_json(request: Request, *, types: Collection[str] = (JSON,), limit: int = MAX_BODY_BYTES) -> object:
    """The body as JSON; 400 when it is none."""
    try:
        document: object = orjson.loads(read_body(request, types=types, limit=limit))
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is no JSON in UTF-8: {error}") from error
    return document


def _too_large(limit: int) -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"the body has more than {limit:,} bytes; send fewer at once")

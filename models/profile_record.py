"""A profile as bytes: small, quick to read, and with a checksum, so that a store need not be read whole to be trusted.

A header, the statistics as doubles, each column of own items as its least value and as few bytes an item as the
differences to it take, and the item ids as JSON.
"""

import struct
import zlib
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from contracts.errors import CorruptData
from contracts.features import USER_STATS
from models.profile import Profile
from models.user_state import OwnItems

LAYOUT = 1  # raise it with any change of what is below
_HEADER, _CHECKSUM = struct.Struct("<BH"), struct.Struct("<I")  # layout and own items; then of all else
_BODY = _HEADER.size + _CHECKSUM.size
_STATS_BYTES = 8 * len(USER_STATS)
_COLUMNS: tuple[tuple[str, type[np.int32] | type[np.int64]], ...] = (
    ("weight_scaled", np.int64),
    ("event_count", np.int32),
    ("purchase_count", np.int32),
    ("count_30d", np.int32),
    ("first_at", np.int64),
    ("last_at", np.int64),
    ("value_scaled", np.int64),
)
_PACKED = struct.Struct("<Bq")  # bytes an item, least value
_DIFFERENCES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<u1"),
    2: np.dtype("<u2"),
    4: np.dtype("<u4"),
    8: np.dtype("<i8"),
}


def encode_profile(profile: Profile) -> bytes:
    """Write a profile; equal profiles give equal bytes."""
    own = profile.own
    columns = b"".join(_packed(getattr(own, name)) for name, _ in _COLUMNS)
    body = profile.user_stats.astype("<f8").tobytes() + columns + orjson.dumps(own.item_ids)
    header = _HEADER.pack(LAYOUT, len(own.item_ids))
    return header + _CHECKSUM.pack(_checksum(header, body)) + body


def decode_profile(record: bytes) -> Profile:
    """Read a profile; CorruptData when the bytes are not what was written."""
    try:
        (layout, count), (checksum,) = _HEADER.unpack_from(record), _CHECKSUM.unpack_from(record, _HEADER.size)
        body = memoryview(record)[_BODY:]
        if layout != LAYOUT or _checksum(record[: _HEADER.size], body) != checksum:
            raise ValueError(f"layout {layout}, {len(record)} bytes")
    except (ValueError, struct.error) as error:
        raise CorruptData(f"a stored profile cannot be read ({error}); make the hour's profiles again") from error
    stats = np.frombuffer(body, "<f8", len(USER_STATS))
    columns, at = {}, _STATS_BYTES
    for name, kind in _COLUMNS:
        width, least = _PACKED.unpack_from(body, at)
        at += _PACKED.size
        columns[name] = np.full(count, least, kind)
        if width:
            columns[name] += np.frombuffer(body, _DIFFERENCES[width], count, at).astype(kind)
        at += width * count
    return Profile(OwnItems(tuple(orjson.loads(body[at:])), **columns), stats)


def _checksum(header: bytes, body: bytes | memoryview) -> int:
    return zlib.crc32(body, zlib.crc32(header))


def _packed(values: NDArray[np.int32] | NDArray[np.int64]) -> bytes:
    if not len(values):
        return _PACKED.pack(0, 0)
    least, most = int(values.min()), int(values.max())
    spread = most - least
    if not spread:
        return _PACKED.pack(0, least)
    width = 1 if spread < 2**8 else 2 if spread < 2**16 else 4 if spread < 2**32 else 8
    if width == 8:
        least = 0  # the difference itself might not fit
    return _PACKED.pack(width, least) + (values.astype(np.int64) - least).astype(_DIFFERENCES[width]).tobytes()

"""A stream of bytes cut into frames whose header begins with the length of the body."""

import struct
from typing import Any

from contracts.errors import CorruptData
from serving.inference.messages import MAX_BODY_BYTES

Frame = tuple[tuple[Any, ...], bytes]  # fields of the header, body


class FrameReader:
    """Gathers what came of a frame until it is whole."""

    def __init__(self, header: struct.Struct, longest: int = MAX_BODY_BYTES) -> None:
        self._header, self._longest = header, longest
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are whole now, in order; CorruptData for a body that is too long."""
        if not self._rest and len(data) >= self._header.size:
            fields = self._header.unpack_from(data)
            if self._header.size + fields[0] == len(data) and fields[0] <= self._longest:
                return [(fields, data[self._header.size :])]  # as it nearly always comes
        self._rest += data
        return self._take_whole()

    def _take_whole(self) -> list[Frame]:
        found: list[Frame] = []
        rest, size = self._rest, self._header.size
        while len(rest) >= size:
            fields = self._header.unpack_from(rest)
            end = size + fields[0]
            if fields[0] > self._longest:
                raise CorruptData(f"a frame of {fields[0]} bytes came; {self._longest} is the most")
            if len(rest) < end:
                break
            found.append((fields, bytes(rest[size:end])))
            del rest[:end]
        return found

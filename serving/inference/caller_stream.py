"""A connection of a serving process: its questions go to the dispatcher, replies come back as they are ready."""

import asyncio
import logging
import socket
import struct
from typing import cast

from contracts.errors import CorruptData
from serving.inference import messages
from serving.inference.dispatcher import Dispatcher
from serving.inference.frames import FrameReader

logger = logging.getLogger(__name__)

MAX_STREAMS = 512  # threads of all serving processes; of the 1,024 files that a process may open by default
MAX_UNREAD_BYTES = 4 * 1024**2


class CallerStream(asyncio.Protocol):
    """One caller. Whoever sends no frames of ours, or reads no replies, is hung up on."""

    def __init__(self, dispatcher: Dispatcher, streams: "set[CallerStream]") -> None:
        self._dispatcher, self._streams = dispatcher, streams
        self._frames = FrameReader(messages.REQUEST_HEADER)
        self._transport: asyncio.Transport
        self.is_gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=MAX_UNREAD_BYTES)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._streams.add(self)
        if len(self._streams) > MAX_STREAMS:
            logger.warning("caller_refused streams=%d", MAX_STREAMS)
            self.hang_up()

    def data_received(self, data: bytes) -> None:
        """Ask what came whole."""
        try:
            for (_, budget_ms, number, digest), body in self._frames.feed(data):
                self._dispatcher.ask(self, number, budget_ms, digest, body)
        except (CorruptData, struct.error) as error:
            logger.warning("caller_talks_nonsense: %s", error)
            self.hang_up()

    def reply(self, number: int, status: int, body: bytes = b"") -> None:
        """Send a reply, if anybody is there."""
        if not self.is_gone:
            self._transport.write(messages.pack_reply(number, status, body))

    def pause_writing(self) -> None:
        """So much is unread that nobody can be reading."""
        self.hang_up()

    def connection_lost(self, _error: Exception | None) -> None:
        """Its questions are computed for nobody now."""
        self.is_gone = True
        self._streams.discard(self)

    def hang_up(self) -> None:
        """Close at once, whatever is unsent."""
        self.is_gone = True
        self._transport.abort()

    def close(self) -> None:
        """Close when everything is sent."""
        self._transport.close()

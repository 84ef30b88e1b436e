"""Where accepted records go, in this order: into the stream, onto the server of the lists, and then the sender is told.

While the stream's server is away a spool on disk takes them, and gives them back in order; while that of the lists is
away the spool keeps what it must still be told. Nothing is acknowledged that is not durable.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.errors import StoreUnavailable
from contracts.records import EVENT, ITEM, TOMBSTONE, Record
from ingest.breaker import Breaker
from ingest.hot_writer import Change, HotWriter
from ingest.spool import Spool, SpoolFull
from ingest.spool_drain import SpoolDrainer
from ingest.stream import Producer

logger = logging.getLogger(__name__)

APPEND_SECONDS = 0.5  # longest wait for the stream's server; then the spool takes over
SEEN_AT_ONCE = frozenset({EVENT, ITEM, TOMBSTONE})


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some records: which are new, whether the next look-up sees them, each event's sequence number."""

    news: Sequence[bool]
    visible: bool
    sequences: Mapping[str, int]


class Intake:
    """Takes records of one process; safe to share between threads. What is spooled at `close` waits for the next."""

    def __init__(self, producer: Producer, hot: HotWriter, spool: Spool, breaker: Breaker) -> None:
        self._producer = producer
        self._hot = hot
        self._spool = spool
        self._breaker = breaker
        self._is_behind = False  # whether the spool holds what the stream has not got
        self._drainer = SpoolDrainer(spool, producer, self._on_drained)
        self._drainer.start()

    def take(self, records: Sequence[Record], changes: Sequence[Change]) -> Taken:
        """Make records durable, then `changes` (what they mean to look-ups) seen; StreamFull, SpoolFull."""
        news = self._append(records)
        if news is None:
            self._spool.put(records, hot_only=False)
            return Taken([True] * len(records), False, {})
        if not changes:
            return Taken(news, True, {})
        if not self._spool.pending:
            try:
                return Taken(news, True, self._hot.write(changes, self._hot.new_deadline()))
            except StoreUnavailable as error:
                logger.warning("hot_state_unwritten changes=%d: %s", len(changes), error)
        try:
            self._spool.put([record for record in records if record.kind in SEEN_AT_ONCE], hot_only=True)
        except SpoolFull as error:  # the records themselves are durable, and the next hour knows them
            logger.error("hot_state_dropped changes=%d: %s", len(changes), error)
        return Taken(news, False, {})

    def close(self) -> None:
        """Stop draining and close every connection; what is spooled stays on disk."""
        self._drainer.stop()
        self._spool.close()
        self._producer.close()
        self._hot.close()

    def _append(self, records: Sequence[Record]) -> list[bool] | None:
        """Append to the stream; None when the spool must take the records, also to keep them behind earlier ones."""
        if self._is_behind and self._spool.pending:
            return None
        self._is_behind = False
        if self._breaker.allows():
            try:
                news = self._producer.append(records, time.monotonic() + APPEND_SECONDS)
                self._breaker.succeeded()
                return news
            except StoreUnavailable as error:
                self._breaker.failed()
                logger.warning("stream_unreachable records=%d: %s", len(records), error)
            except BaseException:
                self._breaker.succeeded()  # it answered; what it said is the sender's to hear
                raise
        self._is_behind = True
        return None

    def _on_drained(self, records: Sequence[Record], _news: Sequence[bool]) -> None:
        try:
            self._hot.write_records(records, self._hot.new_deadline())
        finally:
            self._hot.close_mine()  # the drainer's thread comes here seldom, and may end after any call

"""Up to when the lake is whole: the watermark that the archiver writes, and which hours count as late by it."""

import json
import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.errors import CorruptData
from contracts.intervals import HOUR, KEY_FORMAT, format_instant
from contracts.lake_notes import ARCHIVED_UNTIL, archived_until, watermark_file
from ingest.spool import has_spooled
from ingest.stream import Consumer

logger = logging.getLogger(__name__)
OFFSET = "offset"
# From its receipt to the stream a record may take so long, by clocks that differ so much; what takes longer is late.
IN_FLIGHT_SECONDS = 3.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Watermark:
    """The watermark of one lake; it only grows.

    What was spooled comes to the stream long after its receipt, so that the age of what is in the stream says nothing
    while there may be such records: the watermark then rests until all is archived that was there at a certain moment.
    """

    def __init__(self, lake: Path, spool: Path, late: timedelta, clock: Callable[[], float] = time.time) -> None:
        self._lake = lake
        self._spool = spool
        self._late = late
        self._clock = clock
        self._resting_until = clock()
        self._has_spooled = False
        try:
            self.until = archived_until(lake)
        except CorruptData as error:
            logger.warning("event=watermark_lost: %s", error)
            self.until = None

    def rest(self) -> None:
        """Rest until all is archived that is in the stream by now: its server was away, so that there was a spool."""
        self._resting_until = self._clock()

    def advance(self, consumer: Consumer, last_offset: str) -> None:
        """Ask whether this host's spool is empty and how far behind the stream is, and note it; StoreUnavailable."""
        had_spooled, self._has_spooled = self._has_spooled, has_spooled(self._spool)
        if had_spooled or self._has_spooled:
            self.rest()  # also at the first look that finds it empty: what it had was appended before this look
        if self._has_spooled:
            return
        asked_at = self._clock()
        whole_until = asked_at - consumer.lag_seconds()
        if whole_until < self._resting_until:
            return
        until = datetime.fromtimestamp(max(0.0, whole_until - IN_FLIGHT_SECONDS), UTC).replace(microsecond=0)
        if self.until is None or until > self.until:
            self.until = until
            self._write({ARCHIVED_UNTIL: format_instant(until), OFFSET: last_offset})

    def late_hours(self, hours: Iterable[int]) -> list[str]:
        """Of hours (since 1970) that get new rows, the keys of those that were said to be whole, none too long past."""
        if self.until is None:
            return []
        oldest_end = datetime.fromtimestamp(self._clock(), UTC) - self._late
        starts = (_EPOCH + hour * HOUR for hour in sorted(set(hours)))
        return [start.strftime(KEY_FORMAT) for start in starts if oldest_end < start + HOUR <= self.until]

    def _write(self, document: dict[str, str]) -> None:
        target = watermark_file(self._lake)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        partial.write_text(json.dumps(document) + "\n")
        partial.rename(target)

"""What one look-up reads: the pointer, trusted for a second, then a person's keys in one round trip."""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from contracts.errors import CorruptData, HeadraceError, MissingInput, StoreUnavailable
from contracts.intervals import parse_instant
from contracts.redis_layout import DELISTED_MARK, POINTER, Pointer, person_keys
from contracts.settings import Settings
from ingest.redis_guard import Store
from serving.delisted import NOTHING, DelistedItems, Delisting

logger = logging.getLogger(__name__)

UNREACHABLE = "the store of lists does not answer"
UNPUBLISHED = "no list is published"
UNREADABLE = "the store of lists answers with something else"
TROUBLES = (UNREACHABLE, UNPUBLISHED, UNREADABLE)


@dataclass(frozen=True, slots=True)
class Pin:
    """The version that serves, as this process last read it; `generated_epoch` is in seconds."""

    version: str
    generated_epoch: float


class PersonRecord(NamedTuple):  # made on every request, and a frozen dataclass takes four times as long to make
    """What one round trip brought of a person. `pin` is None when no version is known to serve.

    `trouble` is empty, or one of TROUBLES.
    """

    pin: Pin | None = None
    stored: bytes | None = None
    overlay: bytes | None = None
    profile: bytes | None = None
    trouble: str = ""
    delisted: Delisting = NOTHING


class ListStore:
    """Reads by deadline, an instant of time.monotonic(); `redis` is behind its breaker."""

    def __init__(self, redis: Store, settings: Settings) -> None:
        self._redis = redis
        self._trust_seconds = settings.pointer_cache_ms / 1_000
        self._timeout_seconds = settings.redis_timeout_ms / 1_000
        self._pin: Pin | None = None
        self._raw_pointer: bytes | None = None
        self._trusted_until = float("-inf")
        self._delisted = DelistedItems(redis)
        self._is_cluster = settings.redis_cluster
        self.on_pin: Callable[[Pin], None] = _ignore

    def new_deadline(self) -> float:
        """Deadline of everything that one request may ask of Redis."""
        return time.monotonic() + self._timeout_seconds

    def pin(self, deadline: float) -> Pin:
        """The serving version. A stale one is good enough while Redis is down; HeadraceError when none is known."""
        try:
            return self.fresh_pin(deadline)
        except StoreUnavailable:
            if self._pin is None:
                raise
            return self._pin

    def fresh_pin(self, deadline: float) -> Pin:
        """The serving version, read no longer ago than the setting allows; HeadraceError."""
        now = time.monotonic()
        if self._pin is not None and now < self._trusted_until:
            return self._pin
        return self._adopt(self._redis.mget([POINTER], deadline)[0], now)

    def person(self, user_id: str, deadline: float) -> PersonRecord:
        """List, overlay and profile of one person, in one round trip; never raises."""
        pin = None
        try:
            pin = self.pin(deadline)
            stored, overlay, profile, mark = self._with_mark(person_keys(pin.version, user_id), deadline)
        except HeadraceError as error:
            return PersonRecord(pin=pin, trouble=trouble_of(error), delisted=self._delisted.current)
        return PersonRecord(pin, stored, overlay, profile, "", self._delisted.as_of(mark))

    def profile(self, user_id: str, deadline: float) -> PersonRecord:
        """Overlay and profile of one person whose own list may not be used; never raises."""
        pin = None
        try:
            pin = self.pin(deadline)
            overlay, profile, mark = self._with_mark(person_keys(pin.version, user_id)[1:], deadline)
        except HeadraceError as error:
            return PersonRecord(pin=pin, trouble=trouble_of(error), delisted=self._delisted.current)
        return PersonRecord(pin, None, overlay, profile, "", self._delisted.as_of(mark))

    def nobody(self, deadline: float) -> PersonRecord:
        """The version alone, for a place that is not personal: no key of a person is read; never raises."""
        try:
            pin = self.fresh_pin(deadline)
        except HeadraceError as error:
            return PersonRecord(trouble=trouble_of(error), delisted=self._delisted.current)
        return PersonRecord(pin, delisted=self._as_of_now(deadline))

    def values(self, keys: Sequence[str], deadline: float) -> list[bytes | None]:
        """Values of keys that name no person; StoreUnavailable."""
        return self._redis.mget(keys, deadline)

    def close_mine(self) -> None:
        """Close the calling thread's connections, because that thread is about to end."""
        self._redis.close_mine()

    def _with_mark(self, keys: Sequence[str], deadline: float) -> list[bytes | None]:
        """Values of a person's keys and the mark of the delisted items; of a cluster, another node may hold that."""
        if not self._is_cluster:
            return self._redis.mget([*keys, DELISTED_MARK], deadline)
        values = self._redis.mget(keys, deadline)
        with contextlib.suppress(StoreUnavailable):
            return [*values, *self._redis.mget([DELISTED_MARK], deadline)]
        return [*values, self._delisted.mark]

    def _as_of_now(self, deadline: float) -> Delisting:
        try:
            return self._delisted.as_of(self._redis.mget([DELISTED_MARK], deadline)[0])
        except StoreUnavailable:
            return self._delisted.current

    def _adopt(self, raw: bytes | None, now: float) -> Pin:
        if raw is None:
            self._pin = self._raw_pointer = None
            raise MissingInput("nothing is published in Redis; run an hour, or wait for the next one")
        if raw != self._raw_pointer or self._pin is None:
            self._pin, self._raw_pointer = _pin_of(raw), raw
            self.on_pin(self._pin)
        self._trusted_until = now + self._trust_seconds
        return self._pin


def _pin_of(raw: bytes) -> Pin:
    pointer = Pointer.decode(raw)
    try:
        return Pin(pointer.version, parse_instant(pointer.generated_at).timestamp())
    except HeadraceError as error:
        raise CorruptData(f"the pointer's generated_at is {pointer.generated_at!r}: {error}") from error


def trouble_of(error: HeadraceError) -> str:
    """Which of TROUBLES an error of a read is."""
    if isinstance(error, StoreUnavailable):
        return UNREACHABLE
    if isinstance(error, MissingInput):
        return UNPUBLISHED
    logger.error("store_unreadable: %s", error)
    return UNREADABLE


def _ignore(_pin: Pin) -> None:
    return None

"""Hot state: what a person just did, in the overlay that the very next look-up reads.

One script call a person, all of a request's in one round trip; every call bears to be repeated, because events count
once by their id. On a Redis Cluster each call stays in one slot.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

import orjson

from contracts.errors import CorruptData
from contracts.event_contract import ANONYMOUS_PREFIX, NOT_INTERESTED, PURCHASE, SHOWN, Event
from contracts.overlay import MAX_GONE_ITEMS, MAX_SESSION_EVENTS, Overlay, decode_overlay
from contracts.redis_layout import POINTER, Pointer, list_key, overlay_key, profile_key
from contracts.settings import Settings
from ingest.redis_commands import Command, Script, on_key
from ingest.redis_guard import Store

logger = logging.getLogger(__name__)

HOUR_MS, DAY_MS, MINUTE_MS = 3_600_000, 86_400_000, 60_000
Row = tuple[str, str, str, int, float | None, int]  # an overlay's row, and until when the item is gone


def read_script(name: str) -> Script:
    """A script of ingest/lua."""
    return Script.of(files("ingest").joinpath("lua", name).read_text())


OVERLAY, DROP_SAME = read_script("overlay.lua"), read_script("drop_same.lua")


class HotState:
    """Writes overlays on the server of the lists. Deadlines are instants of time.monotonic(); RedisFailure."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        lives_ms = (settings.session_ttl_minutes * MINUTE_MS, settings.list_ttl_seconds * 1_000)
        self._bounds = " ".join(map(str, (*lives_ms, MAX_SESSION_EVENTS, MAX_GONE_ITEMS))).encode()
        self._hidden_ms = {
            PURCHASE: settings.bought_hidden_hours * HOUR_MS,
            NOT_INTERESTED: settings.dismissed_hidden_days * DAY_MS,
        }

    def apply(self, events: Sequence[Event], deadline: float, more: Sequence[Command] = ()) -> dict[str, int]:
        """Bring events into the overlays of their people; the sequence number after each event, by event id.

        `more` travels in the same round trip. A session that was anonymous joins the person whom an event names.
        """
        by_person: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            if event.event_type != SHOWN:
                by_person[event.person].append(event)
        strangers = {event.anonymous_id: event.user_id for event in events if event.user_id and event.anonymous_id}
        commands = [self._bring(person, map(self._row, some)) for person, some in by_person.items()]
        reads = [on_key(b"GET", overlay_key(ANONYMOUS_PREFIX + stranger)) for stranger in strangers]
        replies = self._store.send([*commands, *reads, *more], deadline) if commands or reads or more else []
        sequences: dict[str, int] = {}
        for some, reply in zip(by_person.values(), replies, strict=False):
            sequences.update(zip((event.event_id for event in some), reply, strict=False))
        for (stranger, user_id), raw in zip(strangers.items(), replies[len(commands) :], strict=False):
            if raw is not None:
                last = self._join(stranger, user_id, raw, deadline)
                sequences.update({event.event_id: last for event in by_person[user_id]})
        return sequences

    def join(self, anonymous_id: str, user_id: str, deadline: float) -> None:
        """Bring what an anonymous person did into the overlay of the person that they turned out to be."""
        [raw] = self._store.mget([overlay_key(ANONYMOUS_PREFIX + anonymous_id)], deadline)
        if raw is not None:
            self._join(anonymous_id, user_id, raw, deadline)

    def forget(self, user_id: str, forgotten_ms: int, deadline: float) -> int:
        """Forget a person: session, hidden items, and the lists and profile of the versions that serve or served."""
        bring = self._bring(user_id, (), forgotten_ms=forgotten_ms)
        versions = self._versions(deadline)
        keys = [builder(name, user_id) for name in versions for builder in (list_key, profile_key)]
        replies = self._store.send([bring, *(on_key(b"UNLINK", key) for key in keys)], deadline)
        return int(replies[0][-1])

    def close(self) -> None:
        """Close every connection."""
        self._store.close()

    def _versions(self, deadline: float) -> list[str]:
        [raw] = self._store.mget([POINTER], deadline)
        try:
            pointer = Pointer.decode(raw) if raw else None
        except CorruptData as error:
            logger.error("pointer_corrupt: %s", error)
            return []
        return [name for name in (pointer.version, pointer.previous) if name] if pointer else []

    def _join(self, stranger: str, user_id: str, raw: bytes, deadline: float) -> int:
        """Merge first and drop after, so that a death between the two loses nothing; returns the last number."""
        try:
            overlay = decode_overlay(raw)
        except CorruptData as error:
            logger.error("overlay_corrupt anonymous_id=%s: %s", stranger, error)
            overlay = Overlay(0)
        rows: Iterable[Row] = ((*event, 0) for event in overlay.events)
        [reply] = self._store.send([self._bring(user_id, rows, gone=overlay.gone)], deadline)
        key = overlay_key(ANONYMOUS_PREFIX + stranger)
        self._store.send([Command((key,), (raw,), DROP_SAME)], deadline)
        return int(reply[-1])

    def _bring(
        self, person: str, rows: Iterable[Row], *, gone: Mapping[str, int] | None = None, forgotten_ms: int = 0
    ) -> Command:
        numbers = b"%b %d %d" % (self._bounds, time.time_ns() // 1_000_000, forgotten_ms)
        taken_over = (orjson.dumps(dict(gone)),) if gone else ()
        return Command((overlay_key(person),), (numbers, orjson.dumps(list(rows)), *taken_over), OVERLAY)

    def _row(self, event: Event) -> Row:
        at_ms = event.occurred_at // 1_000
        hidden_ms = self._hidden_ms.get(event.event_type, 0)
        until_ms = at_ms + hidden_ms if hidden_ms else 0
        return event.event_id, event.event_type, event.item_id, at_ms, event.value, until_ms

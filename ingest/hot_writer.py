"""Everything that accepted records change at once on the server of the lists: overlays, counters, delisted items."""

import itertools
import time
from collections.abc import Iterable, Sequence

from contracts.entity_contract import Item, Tombstone, decode_item, decode_tombstone
from contracts.event_contract import Event, decode_event
from contracts.records import EVENT, ITEM, TOMBSTONE, Record
from contracts.settings import Settings
from ingest.delisting import delist
from ingest.hot_state import HotState
from ingest.redis_guard import Store
from ingest.trending import TrendingCounter

Change = Event | Item | Tombstone
WRITE_SECONDS = 0.25  # more than a look-up has: a batch of 500 people is some 20 ms of the server's time


class HotWriter:
    """Brings changes to where the next look-up sees them; RedisFailure, and then trying again does no harm."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._state = HotState(store, settings)
        self._trending = TrendingCounter(settings)

    def write(self, changes: Sequence[Change], deadline: float) -> dict[str, int]:
        """Apply changes in their order; the sequence number of the person after each event, by event id."""
        sequences: dict[str, int] = {}
        for kind, group in itertools.groupby(changes, type):
            some = list(group)
            if kind is Event:
                events = [change for change in some if isinstance(change, Event)]
                sequences.update(self._state.apply(events, deadline, self._trending.count(events)))
            elif kind is Item:
                self._delist([change for change in some if isinstance(change, Item)], deadline)
            else:
                for change in some:
                    if isinstance(change, Tombstone):
                        self._state.forget(change.user_id, change.forgotten_at // 1_000, deadline)
        return sequences

    def write_records(self, records: Iterable[Record], deadline: float) -> None:
        """Apply records, as the spool keeps them; kinds that change nothing here are passed over. CorruptData."""
        self.write([change for record in records if (change := change_of(record)) is not None], deadline)

    def new_deadline(self) -> float:
        """Deadline of one call, an instant of time.monotonic()."""
        return time.monotonic() + WRITE_SECONDS

    def close(self) -> None:
        """Close every connection."""
        self._store.close()

    def close_mine(self) -> None:
        """Close the calling thread's connections."""
        self._store.close_mine()

    def _delist(self, items: Sequence[Item], deadline: float) -> None:
        latest = {item.item_id: item.available for item in items}
        gone = [item_id for item_id, available in latest.items() if not available]
        back = [item_id for item_id, available in latest.items() if available]
        delist(self._store, gone, back, deadline)


def change_of(record: Record) -> Change | None:
    """What a record changes at once, None when nothing; CorruptData."""
    if record.kind == EVENT:
        return decode_event(record.payload)
    if record.kind == ITEM:
        return decode_item(record.payload)
    if record.kind == TOMBSTONE:
        return decode_tombstone(record.payload)
    return None

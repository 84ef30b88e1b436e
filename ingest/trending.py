"""What is counted for "trending now": touches of items by people, of whom each counts for little.

One person adds to one item at most MOST_TOUCHES times an hour, and an item that fewer than FLOOR_PEOPLE people of one
hour touched is not trending at all. Only what happened within the last five minutes counts as now.
"""

import time
from collections.abc import Iterable
from hashlib import blake2b

from contracts.event_contract import ADD_TO_CART, CLICK, PURCHASE, RATING, VIEW, Event
from contracts.event_weights import parse_event_weights
from contracts.redis_layout import TRENDING_BUCKET_SECONDS, trending_keys
from contracts.settings import Settings
from ingest.hot_state import read_script
from ingest.redis_commands import Command

TRENDING = read_script("trending.lua")
COUNTED_TYPES = (VIEW, CLICK, ADD_TO_CART, PURCHASE, RATING)
MOST_TOUCHES = 3
FLOOR_PEOPLE = 5
MOST_PAIRS = 300_000  # pairs of person and item remembered within an hour; beyond, new ones do not count
KEPT_SECONDS = 2 * 3_600 + TRENDING_BUCKET_SECONDS
PAIR_BYTES = 8


class TrendingCounter:
    """Makes the command that counts events; HotState sends it in the round trip of the overlays."""

    def __init__(self, settings: Settings) -> None:
        weights = parse_event_weights(settings.event_weights)
        counted = {name: weights.get(name, 1.0) for name in COUNTED_TYPES}
        self._weights = {name: b"%.6g" % weight for name, weight in counted.items() if weight > 0}

    def count(self, events: Iterable[Event]) -> list[Command]:
        """One command for all events that count now, or none."""
        now = time.time()
        earliest = (now - TRENDING_BUCKET_SECONDS) * 1_000_000
        parts: list[bytes] = []
        for event in events:
            weight = self._weights.get(event.event_type)
            if weight and event.item_id and event.occurred_at >= earliest:
                pair = f"{event.person}\0{event.item_id}".encode()
                parts += [event.item_id.encode(), blake2b(pair, digest_size=PAIR_BYTES).digest(), weight]
        if not parts:
            return []
        bounds = [str(bound).encode() for bound in (MOST_TOUCHES, MOST_PAIRS, KEPT_SECONDS)]
        return [Command(trending_keys(now), (*bounds, *parts), TRENDING)]

"""A live session laid over a profile: the state that the hour would have computed, had it seen those events.

Two things differ, and only these: a fresh event weighs in full, and nothing grows old between the hour and now.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.lake import PURCHASE
from contracts.user_state import MAX_PROFILE_ITEMS, UNNAMED_WEIGHT
from models.candidate_bundle import CandidateBundle
from models.live_stats import MONTH_SECONDS, FreshEvent, scaled, stats_after
from models.profile import NOTHING_KNOWN, Profile
from models.user_state import LiveSession, OwnItems, Request

_NEVER = np.iinfo(np.int64).min
CategoryCodes = Callable[[Sequence[str]], NDArray[np.int32]]


def no_categories(item_ids: Sequence[str]) -> NDArray[np.int32]:
    """Categories of items where none is known."""
    return np.full(len(item_ids), -1, np.int32)


@dataclass(frozen=True, slots=True)
class StateTerms:
    """What else the state depends on: the request's instant (epoch seconds), the weights of event types, categories.

    `category_codes` gives a code for each item id, int32, -1 where unknown; `categories_of` makes it of a bundle.
    """

    as_of_at: int
    event_weights: Mapping[str, float]
    category_codes: CategoryCodes = no_categories


def categories_of(bundle: CandidateBundle) -> CategoryCodes:
    """Category codes as a bundle knows them."""

    def codes(item_ids: Sequence[str]) -> NDArray[np.int32]:
        rows = bundle.items.rows(item_ids)
        found = np.full(len(rows), -1, np.int32)
        found[rows >= 0] = bundle.category_codes[rows[rows >= 0]]
        return found

    return codes


def lay_over(profile: Profile | None, user_id: str, session: LiveSession, terms: StateTerms) -> Request:
    """The request of a person as of now: what is known of them, with what they did since.

    Events without an item or of a weightless type change no state, as in the hour, and so do events that the profile
    has already. The session itself is handed on whole. No profile is an empty one.
    """
    known = NOTHING_KNOWN if profile is None else profile
    fresh = _fresh(known.own, session, terms)
    if not fresh:
        return Request(user_id, terms.as_of_at, known.own, known.user_stats, session=session)
    own = _merged(known.own, fresh)
    stats = stats_after(known, fresh, terms.category_codes)
    return Request(user_id, terms.as_of_at, own, stats, session=session)


def _fresh(own: OwnItems, session: LiveSession, terms: StateTerms) -> list[FreshEvent]:
    """Events that count and that the profile has not seen.

    The profile has an event when it knows the item until then or later. Of an item that is not among those of a full
    profile, nothing newer than the oldest that stayed can have been seen.
    """
    full = len(own.item_ids) == MAX_PROFILE_ITEMS
    otherwise = int(own.last_at[-1]) if full else _NEVER
    seen_until = dict(zip(own.item_ids, own.last_at.tolist(), strict=True))
    columns = (session.item_ids, session.event_types, session.at_seconds.tolist(), session.values.tolist())
    fresh = []
    for item, kind, at, value in zip(*columns, strict=True):
        weight = terms.event_weights.get(kind, UNNAMED_WEIGHT)
        if item and weight > 0 and at > seen_until.get(item, otherwise):
            age = max(terms.as_of_at - at, 0)  # a clock may be ahead; no age is negative
            money = scaled(value) if kind == PURCHASE else 0
            fresh.append(FreshEvent(item, terms.as_of_at - age, age, scaled(weight), kind == PURCHASE, money))
    return fresh


def _merged(own: OwnItems, fresh: Sequence[FreshEvent]) -> OwnItems:
    """Own items after the events, most recent first again and bounded."""
    item_ids = (*own.item_ids, *sorted({event.item_id for event in fresh}.difference(own.item_ids)))
    place = {item: row for row, item in enumerate(item_ids)}
    columns = _grown(own, len(item_ids))
    for event in fresh:
        row = place[event.item_id]
        columns["weight_scaled"][row] += event.weight_scaled
        columns["event_count"][row] += 1
        columns["count_30d"][row] += event.age_seconds <= MONTH_SECONDS
        columns["purchase_count"][row] += event.purchased
        columns["value_scaled"][row] += event.value_scaled
        columns["first_at"][row] = min(columns["first_at"][row], event.at)
        columns["last_at"][row] = max(columns["last_at"][row], event.at)
    last = columns["last_at"].tolist()
    order = sorted(range(len(item_ids)), key=lambda row: (-last[row], item_ids[row]))[:MAX_PROFILE_ITEMS]
    return OwnItems(tuple(item_ids[row] for row in order), **{name: values[order] for name, values in columns.items()})


def _grown(own: OwnItems, count: int) -> dict[str, NDArray[Any]]:
    """The columns of own items with room for more: nothing counted yet, first never, last never."""
    unset = {"first_at": np.iinfo(np.int64).max, "last_at": _NEVER}
    columns = {}
    for name in (field.name for field in fields(OwnItems) if field.name != "item_ids"):
        values = getattr(own, name)
        columns[name] = np.full(count, unset.get(name, 0), values.dtype)
        columns[name][: len(values)] = values
    return columns

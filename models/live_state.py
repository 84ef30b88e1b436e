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
_COLUMNS = tuple(field.name for field in fields(OwnItems) if field.name != "item_ids")
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
    places = {item: row for row, item in enumerate(known.own.item_ids)} if session.item_ids else {}
    fresh = _fresh(known.own, places, session, terms)
    if not fresh:
        return Request(user_id, terms.as_of_at, known.own, known.user_stats, session=session)
    own = _merged(known.own, places, fresh)
    stats = stats_after(known, fresh, places, terms.category_codes)
    return Request(user_id, terms.as_of_at, own, stats, session=session)


def _fresh(own: OwnItems, places: Mapping[str, int], session: LiveSession, terms: StateTerms) -> list[FreshEvent]:
    """Events that count and that the profile has not seen.

    The profile has an event when it knows the item until then or later. Of an item that is not among those of a full
    profile, nothing newer than the oldest that stayed can have been seen.
    """
    full = len(own.item_ids) == MAX_PROFILE_ITEMS
    otherwise = int(own.last_at[-1]) if full else _NEVER
    columns = (session.item_ids, session.event_types, session.at_seconds.tolist(), session.values.tolist())
    fresh = []
    for item, kind, at, value in zip(*columns, strict=True):
        weight, row = terms.event_weights.get(kind, UNNAMED_WEIGHT), places.get(item)
        if item and weight > 0 and at > (otherwise if row is None else own.last_at[row]):
            age = max(terms.as_of_at - at, 0)  # a clock may be ahead; no age is negative
            money = scaled(value) if kind == PURCHASE else 0
            fresh.append(FreshEvent(item, terms.as_of_at - age, age, scaled(weight), kind == PURCHASE, money))
    return fresh


def _merged(own: OwnItems, places: Mapping[str, int], fresh: Sequence[FreshEvent]) -> OwnItems:
    """Own items after the events, most recent first again and bounded."""
    touched = {event.item_id for event in fresh}
    item_ids = (*own.item_ids, *sorted(touched.difference(places)))
    place = {item: row for row, item in enumerate(item_ids[len(own.item_ids) :], len(own.item_ids))}
    place |= {item: places[item] for item in touched.intersection(places)}
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
    order = _most_recent_first(item_ids, columns["last_at"], sorted(place.values()))[:MAX_PROFILE_ITEMS]
    rows = np.array(order)
    return OwnItems(tuple([item_ids[row] for row in order]), **{name: values[rows] for name, values in columns.items()})


def _most_recent_first(item_ids: Sequence[str], last_at: NDArray[np.int64], touched: list[int]) -> list[int]:
    """Rows by their last instant, ties by item id; all rows but the touched ones stand so already."""
    resting = np.ones(len(item_ids), np.bool_)
    resting[touched] = False
    rest = np.flatnonzero(resting).tolist()

    def recency(row: int) -> tuple[int, str]:
        return -int(last_at[row]), item_ids[row]

    first = sorted(touched, key=recency)
    if not rest or last_at[first[-1]] > last_at[rest[0]]:
        return first + rest
    return sorted(first + rest, key=recency)  # an old event came late


def _grown(own: OwnItems, count: int) -> dict[str, NDArray[Any]]:
    """The columns of own items with room for more: nothing counted yet, first never, last never."""
    unset = {"first_at": np.iinfo(np.int64).max, "last_at": _NEVER}
    columns = {}
    for name in _COLUMNS:
        values = getattr(own, name)
        columns[name] = np.full(count, unset.get(name, 0), values.dtype)
        columns[name][: len(values)] = values
    return columns

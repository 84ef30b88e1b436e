"""The statistics of a user after a few more events: whole numbers are taken back out of shares, counted on, divided.

So a share is the very double that counting all events at once would have given.
"""

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.features import DAYPARTS, USER_STATS
from contracts.lake import WEIGHT_SCALE
from models.profile import Profile
from models.user_state import OwnItems

DAY_SECONDS, DAYPART_SECONDS = 86_400, 86_400 // len(DAYPARTS)
WEEK_SECONDS, MONTH_SECONDS = 7 * DAY_SECONDS, 30 * DAY_SECONDS
_FIRST_WEEKDAY = 3  # 1970 began on a Thursday
_SHARES = (*DAYPARTS, "weekend")


@dataclass(frozen=True, slots=True)
class FreshEvent:
    """An event that counts: `at` epoch seconds, `age_seconds` as of the request, `value_scaled` money of a purchase."""

    item_id: str
    at: int
    age_seconds: int
    weight_scaled: int
    purchased: bool
    value_scaled: int


def scaled(number: float) -> int:
    """A number as a whole count of 1 / WEIGHT_SCALE, halves away from zero as Spark has them; NaN is none."""
    whole = number * WEIGHT_SCALE
    return int(math.copysign(math.floor(abs(whole) + 0.5), whole)) if math.isfinite(whole) else 0


def stats_after(
    known: Profile,
    fresh: Sequence[FreshEvent],
    known_items: Container[str],
    category_codes: Callable[[Sequence[str]], NDArray[np.int32]],
) -> NDArray[np.float64]:
    """Statistics in the order of USER_STATS, float64, of all that `known` stands for and the events besides.

    `known_items` are its own items, quick to look up. A live event says neither its quantity nor its session: it is one
    unit, and one session a day.
    """
    old = dict(zip(USER_STATS, known.user_stats.tolist(), strict=True))
    after = old | _counts(old, fresh) | _breadth(old, fresh, known_items)
    after |= _days(old, fresh) | _money(old, known.own, fresh) | _parts_of_day(old, fresh)
    after |= _categories(old, known.own, fresh, category_codes)
    return np.array([after[name] for name in USER_STATS])


def _whole(number: float) -> int:
    return round(number) if math.isfinite(number) else 0


def _part(old: dict[str, float], share: str) -> int:
    """The count that a share of all events stands for."""
    return _whole(old[share] * old["user_event_count"])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _total(old: dict[str, float], fresh: Sequence[FreshEvent]) -> int:
    return _whole(old["user_event_count"]) + len(fresh)


def _counts(old: dict[str, float], fresh: Sequence[FreshEvent]) -> dict[str, float]:
    total = _total(old, fresh)
    purchases = _part(old, "user_purchase_share") + sum(event.purchased for event in fresh)
    return {
        "user_event_count": float(total),
        "user_count_7d": float(_whole(old["user_count_7d"]) + sum(e.age_seconds <= WEEK_SECONDS for e in fresh)),
        "user_count_30d": float(_whole(old["user_count_30d"]) + sum(e.age_seconds <= MONTH_SECONDS for e in fresh)),
        "user_purchase_share": purchases / total,
    }


def _breadth(old: dict[str, float], fresh: Sequence[FreshEvent], known_items: Container[str]) -> dict[str, float]:
    new_items = len({event.item_id for event in fresh if event.item_id not in known_items})
    repeats = _part(old, "user_repeat_share") + len(fresh) - new_items
    return {
        "user_item_count": float(_whole(old["user_item_count"]) + new_items),
        "user_repeat_share": repeats / _total(old, fresh),
    }


def _days(old: dict[str, float], fresh: Sequence[FreshEvent]) -> dict[str, float]:
    instants = [event.at for event in fresh]
    first, last = old["user_first_at"], old["user_last_at"]
    sessions = _whole(_ratio(old["user_event_count"], old["user_session_size"]))
    known_days = () if math.isnan(last) else range(int(first) // DAY_SECONDS, int(last) // DAY_SECONDS + 1)
    new_days = len({at // DAY_SECONDS for at in instants}.difference(known_days))
    return {
        "user_first_at": float(np.fmin(first, min(instants))),
        "user_last_at": float(np.fmax(last, max(instants))),
        "user_active_days": float(_whole(old["user_active_days"]) + new_days),
        "user_session_size": _ratio(_total(old, fresh), sessions + new_days),
    }


def _money(old: dict[str, float], own: OwnItems, fresh: Sequence[FreshEvent]) -> dict[str, float]:
    paid = [event for event in fresh if event.value_scaled > 0]
    recent = sum(event.value_scaled for event in paid if event.age_seconds <= MONTH_SECONDS)
    value_30d = {"user_value_30d": (_whole(old["user_value_30d"] * WEIGHT_SCALE) + recent) / WEIGHT_SCALE}
    if not paid:
        return value_30d
    spent = int(own.value_scaled.sum())
    units = _whole(_ratio(spent, old["user_price_mean"])) + WEIGHT_SCALE * len(paid)
    return value_30d | {"user_price_mean": (spent + sum(event.value_scaled for event in paid)) / units}


def _parts_of_day(old: dict[str, float], fresh: Sequence[FreshEvent]) -> dict[str, float]:
    counts = dict.fromkeys(_SHARES, 0)
    for event in fresh:
        counts[DAYPARTS[event.at % DAY_SECONDS // DAYPART_SECONDS]] += 1
        counts["weekend"] += (event.at // DAY_SECONDS + _FIRST_WEEKDAY) % 7 >= 5
    total = _total(old, fresh)
    return {f"user_{part}_share": (_part(old, f"user_{part}_share") + counts[part]) / total for part in _SHARES}


def _categories(
    old: dict[str, float],
    own: OwnItems,
    fresh: Sequence[FreshEvent],
    category_codes: Callable[[Sequence[str]], NDArray[np.int32]],
) -> dict[str, float]:
    codes = category_codes((*own.item_ids, *(event.item_id for event in fresh)))
    counts = np.concatenate([own.event_count, np.ones(len(fresh), np.int32)])
    known = codes >= 0
    by_code = np.bincount(codes[known], weights=counts[known])
    new = set(codes[len(own.item_ids) :][known[len(own.item_ids) :]].tolist())
    new.difference_update(codes[: len(own.item_ids)].tolist())
    top = max(_part(old, "user_top_category_share"), int(by_code.max(initial=0)))
    return {
        "user_category_count": float(_whole(old["user_category_count"]) + len(new)),
        "user_top_category_share": _ratio(top, _total(old, fresh)) if top else math.nan,
    }

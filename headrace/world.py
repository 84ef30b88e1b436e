"""A world with known ground truth: who likes what, how popular it is, when users and items arrive.

A person who is not buying a staple picks item i with probability proportional to
popularity[i] * exp(TASTE_STRENGTH * user_factor . item_factor[i]), among the items that have arrived. Items of one
taste group share a factor, which is what makes exact draws cheap.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput
from contracts.intervals import HOUR, format_instant
from headrace.shelf import Floats, Ints, Shelf

FACTORS, REGIONS, BRANDS, STAPLES = 16, 8, 40, 5
REPEAT_SHARE, ZIPF_EXPONENT = 0.35, 1.0
ARRIVING_USERS, ARRIVING_ITEMS = 0.2, 0.15
# Events of one hour are drawn and sorted in memory: about 500 bytes each.
MAX_HOUR_EVENTS = 2_000_000
_DAY_CURVE = np.array([4, 3, 2, 1.5, 1, 1, 2, 4, 6, 7, 8, 9, 10, 9, 8, 8, 9, 11, 13, 15, 16, 14, 10, 7])
_WEEKEND = 1.4


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate: sizes, and the days before `end_at` (a whole hour of UTC)."""

    user_count: int
    item_count: int
    event_count: int
    days: int
    end_at: datetime
    seed: int

    @property
    def hour_count(self) -> int:
        """Hours of the whole span."""
        return 24 * self.days

    def hour_at(self, hour: int) -> datetime:
        """Start of an hour of the span."""
        return self.end_at - (self.hour_count - hour) * HOUR

    def random(self, *stream: int) -> np.random.Generator:
        """A generator of its own for each stream, so that no draw depends on another's count."""
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, *stream])))


@dataclass(frozen=True, slots=True)
class World:
    """Arrays by user row (order of arrival) and item row (order of arrival); hours count from the start, or -1."""

    user_factors: NDArray[np.float32]
    user_region: Ints
    user_activity: Floats
    user_arrival: Ints
    user_staples: Ints
    group_factors: NDArray[np.float32]
    group_category: Ints
    item_group: Ints
    item_popularity: Floats
    item_price: Floats
    item_arrival: Ints
    item_brand: Ints

    @property
    def item_factors(self) -> NDArray[np.float32]:
        """Float32 [items, FACTORS]."""
        return self.item_factors_of(np.arange(len(self.item_group)))

    def item_factors_of(self, rows: Ints) -> NDArray[np.float32]:
        """Factors of some items."""
        return self.group_factors[self.item_group[rows]]


def build_world(plan: Plan) -> World:
    """Draw the world of a plan; BadInput when it cannot be."""
    _refuse_impossible(plan)
    rng = plan.random(0)
    groups = int(np.clip(plan.item_count // 40, 4, 400))
    categories = int(np.clip(groups // 8, 2, 40))
    group_category = np.arange(groups) % categories
    group_factors = _unit(_directions(rng, categories)[group_category] + 0.8 * _directions(rng, groups))
    item_group = np.r_[np.arange(groups), rng.integers(0, groups, max(0, plan.item_count - groups))][: plan.item_count]
    item_arrival = _arrivals(rng, plan.item_count, ARRIVING_ITEMS, plan.hour_count)
    popularity = (1.0 + rng.permutation(plan.item_count)) ** -ZIPF_EXPONENT
    region = rng.integers(0, REGIONS, plan.user_count)
    user_factors = _draw_users(rng, group_factors, region)
    item_group = rng.permutation(item_group)
    level = rng.lognormal(2.0, 0.7, categories)
    return World(
        user_factors=user_factors,
        user_region=region,
        user_activity=rng.lognormal(0.0, 1.2, plan.user_count),
        user_arrival=_arrivals(rng, plan.user_count, ARRIVING_USERS, plan.hour_count),
        user_staples=_draw_staples(rng, user_factors, group_factors, item_group[item_arrival < 0], popularity),
        group_factors=group_factors,
        group_category=group_category,
        item_group=item_group,
        item_popularity=popularity / popularity.sum(),
        item_price=np.round(level[group_category[item_group]] * rng.lognormal(0.0, 0.6, plan.item_count) + 0.5, 2),
        item_arrival=item_arrival,
        item_brand=rng.integers(0, BRANDS, plan.item_count),
    )


def hourly_counts(plan: Plan) -> Ints:
    """How many of the plan's events fall in each hour: a day's curve, busier weekends, some noise; sums to all."""
    starts = [plan.hour_at(hour) for hour in range(plan.hour_count)]
    weight = _DAY_CURVE[[at.hour for at in starts]] * np.where([at.weekday() >= 5 for at in starts], _WEEKEND, 1.0)
    weight *= plan.random(1).lognormal(0.0, 0.1, plan.hour_count)
    ends = np.round(np.cumsum(weight) / weight.sum() * plan.event_count).astype(np.int64)
    return np.diff(ends, prepend=0)


def item_weights(world: World, hour: int) -> Floats:
    """Popularity of each item in an hour: nothing before arrival, a boost that fades within days after it."""
    age_days = (hour - world.item_arrival) / 24
    is_new = (world.item_arrival >= 0) & (age_days >= 0)
    boost = np.where(is_new, 1 + 4 * np.exp(-np.maximum(age_days, 0) / 3), 1.0)
    return np.where(world.item_arrival <= hour, world.item_popularity * boost, 0.0)


def arrival_text(plan: Plan, hours: Ints) -> list[str | None]:
    """ISO 8601 instants of arrival; None for those who were there from the start."""
    return [None if hour < 0 else format_instant(plan.hour_at(0) + timedelta(hours=int(hour))) for hour in hours]


def _draw_users(rng: np.random.Generator, groups: NDArray[np.float32], region: Ints) -> NDArray[np.float32]:
    """Each user is a blend of three groups' tastes, leaning the way of the region."""
    liked = rng.integers(0, len(groups), (len(region), 3))
    share = rng.dirichlet([1.0, 0.6, 0.4], len(region))
    taste = sum(share[:, [k]] * groups[liked[:, k]] for k in range(3))
    lean = _directions(rng, REGIONS)[region]
    return _unit(taste + 0.25 * lean + 0.05 * rng.standard_normal((len(region), FACTORS)))


def _draw_staples(
    rng: np.random.Generator,
    users: NDArray[np.float32],
    groups: NDArray[np.float32],
    item_group: Ints,
    popularity: Floats,
) -> Ints:
    """Items that a user buys again and again, drawn by own taste among those there from the start."""
    staples = np.empty((len(users), STAPLES), np.int64)
    shelf = Shelf.of(item_group, popularity[: len(item_group)], len(groups))
    for start in range(0, len(users), 8192):
        part = slice(start, start + 8192)
        rows = np.repeat(np.arange(len(users[part])), STAPLES)
        staples[part] = shelf.draw(rng, users[part], groups, rows).reshape(-1, STAPLES)
    return staples


def _directions(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    return _unit(rng.standard_normal((count, FACTORS)))


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _arrivals(rng: np.random.Generator, count: int, share: float, hours: int) -> Ints:
    late = int(count * share)
    return np.r_[np.full(count - late, -1), np.sort(rng.integers(0, hours, late))]


def _refuse_impossible(plan: Plan) -> None:
    for name, value, least in (
        ("users", plan.user_count, 1),
        ("items", plan.item_count, 4),
        ("events", plan.event_count, 1),
        ("days", plan.days, 1),
        ("seed", plan.seed, 0),
    ):
        if value < least:
            raise BadInput(f"--{name} is {value}; it takes a whole number from {least}")
    if hourly_counts(plan).max() > MAX_HOUR_EVENTS:
        raise BadInput(
            f"{plan.event_count:,} events in {plan.days} days put more than {MAX_HOUR_EVENTS:,} into one hour; "
            "simulate more days or fewer events"
        )

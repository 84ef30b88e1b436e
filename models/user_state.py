"""A person as arrays: the bounded state of contracts.user_state, and one request about them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts import lake
from contracts.errors import BadInput
from contracts.features import USER_STATS
from contracts.user_state import MAX_PROFILE_ITEMS


@dataclass(frozen=True, slots=True)
class OwnItems:
    """What a user touched, most recent first (ties by item id): parallel arrays of length n <= MAX_PROFILE_ITEMS.

    Instants are epoch seconds; values are scaled by WEIGHT_SCALE.
    """

    item_ids: tuple[str, ...] = ()
    weight_scaled: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    event_count: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    purchase_count: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    count_30d: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    first_at: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    last_at: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    value_scaled: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, name)) for name in self.__slots__}
        if len(lengths) > 1 or len(self.item_ids) > MAX_PROFILE_ITEMS:
            raise BadInput(
                f"own items came as columns of {sorted(lengths)} rows; give all the same, at most {MAX_PROFILE_ITEMS}"
            )

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]]) -> "OwnItems":
        """Build from rows with the columns of the table interactions, in any order; bounds and sorts them."""
        ordered = sorted(rows, key=lambda row: (-row[lake.LAST_AT], row[lake.ITEM_ID]))[:MAX_PROFILE_ITEMS]

        def column(name: str, kind: type) -> NDArray[Any]:
            return np.array([row[name] for row in ordered], kind)

        return cls(
            item_ids=tuple(row[lake.ITEM_ID] for row in ordered),
            weight_scaled=column(lake.WEIGHT, np.int64),
            event_count=column(lake.EVENT_COUNT, np.int32),
            purchase_count=column(lake.PURCHASE_COUNT, np.int32),
            count_30d=column(lake.COUNT_30D, np.int32),
            first_at=column(lake.FIRST_AT, np.int64),
            last_at=column(lake.LAST_AT, np.int64),
            value_scaled=column(lake.VALUE_SUM, np.int64),
        )


@dataclass(frozen=True, slots=True)
class LiveSession:
    """What a person did since their profile was made: parallel arrays of n events, oldest first.

    `at_seconds` int64 [n] epoch seconds; `values` float64 [n], NaN where an event has none. Items may be unknown ones.
    """

    item_ids: tuple[str, ...] = ()
    event_types: tuple[str, ...] = ()
    at_seconds: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    values: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0, np.float64))

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, name)) for name in self.__slots__}
        if len(lengths) > 1:
            raise BadInput(f"a live session came as columns of {sorted(lengths)} rows; give all the same")

    @classmethod
    def of_columns(
        cls,
        item_ids: Iterable[str],
        event_types: Iterable[str],
        at_seconds: Sequence[int] | NDArray[np.int64],
        values: Iterable[float | None],
    ) -> "LiveSession":
        """Build from columns as messages and tables have them, None where an event has no value."""
        known = [np.nan if value is None else value for value in values]
        return cls(tuple(item_ids), tuple(event_types), np.asarray(at_seconds, np.int64), np.array(known, np.float64))


def unknown_user_stats() -> NDArray[np.float64]:
    """Statistics of a user of whom nothing is known: all missing."""
    return np.full(len(USER_STATS), np.nan)


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the two stages.

    `user_stats` is float64 in the order of USER_STATS; `as_of_at` is epoch seconds, the instant that ages are
    counted from; items in `excluded` never appear; `allowed`, when given, is all that may appear, and so is
    `allowed_rows` bool [items of the bundle], as a filter opens them. `own` and `user_stats` already hold what the live
    `session` added (models.live_state).
    """

    user_id: str
    as_of_at: int
    own: OwnItems = field(default_factory=OwnItems)
    user_stats: NDArray[np.float64] = field(default_factory=unknown_user_stats)
    excluded: frozenset[str] = frozenset()
    allowed: frozenset[str] | None = None
    session: LiveSession = field(default_factory=LiveSession)
    allowed_rows: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.user_stats.shape != (len(USER_STATS),):
            raise BadInput(f"user_stats has shape {self.user_stats.shape}; it takes {len(USER_STATS)} numbers")


@dataclass(frozen=True, slots=True)
class Ranked:
    """An ordered list for one user: best first, ties by item row."""

    item_ids: tuple[str, ...]
    scores: NDArray[np.float32]

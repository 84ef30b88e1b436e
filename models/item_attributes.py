"""What a filter can ask of items: category, price and attributes as columns, each value kept once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput
from contracts.lake import CATEGORY
from models.id_map import UNKNOWN_ROW


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """One field of n items: `codes` int32 [n] are indices into `values`, -1 where an item has none.

    Derived: `numbers` float64 [values], NaN where a value is no number.
    """

    codes: NDArray[np.int32]
    values: tuple[str, ...]
    numbers: NDArray[np.float64] = field(init=False, repr=False, compare=False)
    _places: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.codes.size and not UNKNOWN_ROW <= self.codes.min() <= self.codes.max() < len(self.values):
            raise BadInput(f"codes {self.codes.min()} to {self.codes.max()} came for {len(self.values)} values")
        object.__setattr__(self, "numbers", np.array([as_number(value) for value in self.values], np.float64))
        object.__setattr__(self, "_places", {value: place for place, value in enumerate(self.values)})

    def place_of(self, value: str) -> int:
        """Index of a value, UNKNOWN_ROW when no item has it."""
        return self._places.get(value, UNKNOWN_ROW)


@dataclass(frozen=True, slots=True)
class ItemAttributes:
    """n items: `prices` float64 [n], NaN where unknown, and `columns` by field, the category among them."""

    prices: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    columns: Mapping[str, AttributeColumn] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if len(column.codes) != len(self.prices):
                raise BadInput(f"attribute {name} has {len(column.codes)} rows for {len(self.prices)} items")

    def __len__(self) -> int:
        return len(self.prices)

    def with_categories(self, codes: NDArray[np.int32], categories: tuple[str, ...]) -> "ItemAttributes":
        """The same with each item's category as a column; where nothing was known, of as many items."""
        prices = self.prices if len(self.prices) else np.full(len(codes), np.nan)
        return ItemAttributes(prices, {**self.columns, CATEGORY: AttributeColumn(codes, categories)})

    @property
    def own_columns(self) -> dict[str, AttributeColumn]:
        """Columns by field in the order of names, without the category."""
        return {name: self.columns[name] for name in sorted(self.columns) if name != CATEGORY}


def as_number(text: str) -> float:
    """A finite number, or NaN; digits with a sign, a point or an exponent, nothing else that float() would take."""
    if not text or len(text) > 40 or text.strip("0123456789+-.eE"):
        return float("nan")
    try:
        number = float(text)
    except ValueError:
        return float("nan")
    return number if np.isfinite(number) else float("nan")

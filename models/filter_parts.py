"""Parts of a filter: comparisons of a field and what joins them; each knows its canonical form and its items."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.lake import PRICE
from models.item_attributes import AttributeColumn, ItemAttributes

FIELD, EQUALS, IN, AND, OR, NOT = "field", "equals", "in", "and", "or", "not"
BOUNDS: Mapping[str, Callable[[Any, float], Any]] = {
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}

Bools = NDArray[np.bool_]
Value = str | float


class Condition(Protocol):
    """Part of a filter."""

    def as_json(self) -> dict[str, Any]:
        """The part in its one canonical form."""
        ...

    def rows(self, attributes: ItemAttributes) -> Bools:
        """Which items meet it, bool [items], an array of its own."""
        ...


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field has one of these values."""

    field: str
    values: tuple[Value, ...]

    def as_json(self) -> dict[str, Any]:
        """See Condition."""
        if len(self.values) == 1:
            return {FIELD: self.field, EQUALS: self.values[0]}
        return {FIELD: self.field, IN: list(self.values)}

    def rows(self, attributes: ItemAttributes) -> Bools:
        """See Condition."""
        numbers = [value for value in self.values if not isinstance(value, str)]
        if self.field == PRICE:
            return np.asarray(np.isin(attributes.prices, numbers))

        def wanted(column: AttributeColumn) -> Bools:
            found = np.isin(column.numbers, numbers)
            places = [column.place_of(value) for value in self.values if isinstance(value, str)]
            found[[place for place in places if place >= 0]] = True
            return found

        return _rows_of(attributes, self.field, wanted)


@dataclass(frozen=True, slots=True)
class Within:
    """The field is a number within these bounds."""

    field: str
    bounds: tuple[tuple[str, float], ...]

    def as_json(self) -> dict[str, Any]:
        """See Condition."""
        return {FIELD: self.field, **dict(self.bounds)}

    def rows(self, attributes: ItemAttributes) -> Bools:
        """See Condition."""

        def within(numbers: NDArray[np.float64]) -> Bools:
            return reduce(np.logical_and, (BOUNDS[name](numbers, bound) for name, bound in self.bounds))

        if self.field == PRICE:
            return within(attributes.prices)
        return _rows_of(attributes, self.field, lambda column: within(column.numbers))


@dataclass(frozen=True, slots=True)
class Joined:
    """All of the parts, or any."""

    how: str
    parts: tuple[Condition, ...]

    def as_json(self) -> dict[str, Any]:
        """See Condition."""
        return {self.how: [part.as_json() for part in self.parts]}

    def rows(self, attributes: ItemAttributes) -> Bools:
        """See Condition."""
        join = np.logical_and if self.how == AND else np.logical_or
        found = self.parts[0].rows(attributes)
        for part in self.parts[1:]:
            join(found, part.rows(attributes), out=found)
        return found


@dataclass(frozen=True, slots=True)
class Not:
    """What does not meet the part."""

    part: Condition

    def as_json(self) -> dict[str, Any]:
        """See Condition."""
        return {NOT: self.part.as_json()}

    def rows(self, attributes: ItemAttributes) -> Bools:
        """See Condition."""
        found = self.part.rows(attributes)
        return np.logical_not(found, out=found)


def text_of(condition: Condition) -> str:
    """A part as JSON; equal parts give equal texts."""
    return json.dumps(condition.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _rows_of(attributes: ItemAttributes, name: str, wanted: Callable[[AttributeColumn], Bools]) -> Bools:
    """Ask each value once, then look every item's up; the last place answers for code -1."""
    column = attributes.columns.get(name)
    if column is None:
        return np.zeros(len(attributes), np.bool_)
    return np.append(wanted(column), False)[column.codes]

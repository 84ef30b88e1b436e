"""Filters over items: JSON of comparisons and and, or, not; bounded, and nothing in them is ever run as code.

    {"field": "category", "equals": "shoes"}        one value: text, a number, true or false
    {"field": "brand", "in": ["north", "south"]}     any of some values
    {"field": "price", "gte": 10, "lt": 50}          a range: gt, gte, lt, lte
    {"and": [...]}   {"or": [...]}   {"not": {...}}

Fields are category, price, and the names of attributes. An item of which a field is not known meets no comparison.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput
from contracts.lake import PRICE
from models.item_attributes import AttributeColumn, ItemAttributes

FIELD, EQUALS, IN, AND, OR, NOT = "field", "equals", "in", "and", "or", "not"
BOUNDS: Mapping[str, Callable[[Any, float], Any]] = {
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}
LARGEST_NUMBER = 1e300
MAX_DEPTH = 8
MAX_NODES = 64
MAX_VALUES = 500  # in all lists together
MAX_TEXT_LENGTH = 256

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
class ItemFilter:
    """A predicate that was checked; equal predicates have equal canonical texts."""

    condition: Condition

    @classmethod
    def parse(cls, predicate: object) -> "ItemFilter":
        """Check a predicate as JSON gives it; BadInput names the place and what it takes."""
        return cls(_Reader().read(predicate, "filter", 1))

    @classmethod
    def from_text(cls, text: str) -> "ItemFilter":
        """Check a predicate as text, such as `canonical` gives; BadInput."""
        try:
            predicate = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"filter is no JSON ({error}); send an object") from None
        return cls.parse(predicate)

    def canonical(self) -> str:
        """The predicate as JSON, its parts and values in a fixed order."""
        return _text_of(self.condition)

    def open_rows(self, attributes: ItemAttributes) -> Bools:
        """Which items meet it, bool [items]."""
        return self.condition.rows(attributes)


@dataclass(frozen=True, slots=True)
class _AnyOf:
    """The field has one of these values."""

    field: str
    values: tuple[Value, ...]

    def as_json(self) -> dict[str, Any]:
        if len(self.values) == 1:
            return {FIELD: self.field, EQUALS: self.values[0]}
        return {FIELD: self.field, IN: list(self.values)}

    def rows(self, attributes: ItemAttributes) -> Bools:
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
class _Within:
    """The field is a number within these bounds."""

    field: str
    bounds: tuple[tuple[str, float], ...]

    def as_json(self) -> dict[str, Any]:
        return {FIELD: self.field, **dict(self.bounds)}

    def rows(self, attributes: ItemAttributes) -> Bools:
        def within(numbers: NDArray[np.float64]) -> Bools:
            return reduce(np.logical_and, (BOUNDS[name](numbers, bound) for name, bound in self.bounds))

        if self.field == PRICE:
            return within(attributes.prices)
        return _rows_of(attributes, self.field, lambda column: within(column.numbers))


@dataclass(frozen=True, slots=True)
class _Joined:
    """All of the parts, or any."""

    how: str
    parts: tuple[Condition, ...]

    def as_json(self) -> dict[str, Any]:
        return {self.how: [part.as_json() for part in self.parts]}

    def rows(self, attributes: ItemAttributes) -> Bools:
        join = np.logical_and if self.how == AND else np.logical_or
        found = self.parts[0].rows(attributes)
        for part in self.parts[1:]:
            join(found, part.rows(attributes), out=found)
        return found


@dataclass(frozen=True, slots=True)
class _Not:
    """What does not meet the part."""

    part: Condition

    def as_json(self) -> dict[str, Any]:
        return {NOT: self.part.as_json()}

    def rows(self, attributes: ItemAttributes) -> Bools:
        found = self.part.rows(attributes)
        return np.logical_not(found, out=found)


class _Reader:
    """Reads one predicate and counts what it holds."""

    def __init__(self) -> None:
        self._nodes = 0
        self._values = 0

    def read(self, raw: object, place: str, depth: int) -> Condition:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise BadInput(f"{place[:200]} lies deeper than {MAX_DEPTH} levels; make the filter flatter")
        if self._nodes > MAX_NODES:
            raise BadInput(f"{place} is part {self._nodes} of the filter; it takes {MAX_NODES} at most")
        if not isinstance(raw, dict) or not raw:
            raise BadInput(
                f"{place} is {_shown(raw)}; it takes an object with {FIELD} and a comparison, or {AND}, {OR} or {NOT}"
            )
        if FIELD in raw:
            return self._comparison(raw, place)
        if len(raw) == 1:
            (how, parts), *_ = raw.items()
            if how == NOT:
                return _negated(self.read(parts, f"{place}.{NOT}", depth + 1))
            if how in (AND, OR):
                return self._joined(how, parts, place, depth)
        keys = ", ".join(_shown(key) for key in list(raw)[:5])
        raise BadInput(f"{place} holds {keys}; it takes {FIELD} and a comparison, or one of {AND}, {OR} and {NOT}")

    def _joined(self, how: str, raw: object, place: str, depth: int) -> Condition:
        if not isinstance(raw, list) or not raw:
            raise BadInput(f"{place}.{how} is {_shown(raw)}; it takes a list of one or more filters")
        parts: dict[str, Condition] = {}
        for number, one in enumerate(raw):
            part = self.read(one, f"{place}.{how}[{number}]", depth + 1)
            inner = part.parts if isinstance(part, _Joined) and part.how == how else (part,)
            parts |= {_text_of(each): each for each in inner}
        ordered = tuple(parts[text] for text in sorted(parts))
        return ordered[0] if len(ordered) == 1 else _Joined(how, ordered)

    def _comparison(self, raw: Mapping[str, Any], place: str) -> Condition:
        name = _text(raw[FIELD], f"{place}.{FIELD}")
        asked = sorted(key for key in raw if key != FIELD)
        if asked and all(key in BOUNDS for key in asked):
            return _Within(name, tuple((key, _number(raw[key], f"{place}.{key}")) for key in asked))
        if asked == [EQUALS]:
            return _AnyOf(name, (self._value(raw[EQUALS], name, f"{place}.{EQUALS}"),))
        if asked == [IN]:
            return self._any_of(name, raw[IN], f"{place}.{IN}")
        keys = ", ".join(_shown(key) for key in asked[:5]) or "nothing"
        raise BadInput(
            f"{place} compares {_shown(name)} by {keys}; it takes one of {EQUALS} and {IN}, or of {', '.join(BOUNDS)}"
        )

    def _any_of(self, name: str, raw: object, place: str) -> Condition:
        if not isinstance(raw, list) or not raw:
            raise BadInput(f"{place} is {_shown(raw)}; it takes a list of one or more values")
        values = {self._value(one, name, f"{place}[{number}]") for number, one in enumerate(raw)}
        return _AnyOf(name, tuple(sorted(values, key=lambda value: (isinstance(value, str), value))))

    def _value(self, raw: object, name: str, place: str) -> Value:
        self._values += 1
        if self._values > MAX_VALUES:
            raise BadInput(f"{place} is value {self._values} of the filter; it takes {MAX_VALUES} at most")
        if isinstance(raw, bool):
            raw = "true" if raw else "false"  # as attributes keep them
        if isinstance(raw, int | float) or name == PRICE:
            return _number(raw, place)
        return _text(raw, place)


def _negated(part: Condition) -> Condition:
    return part.part if isinstance(part, _Not) else _Not(part)


def _rows_of(attributes: ItemAttributes, name: str, wanted: Callable[[AttributeColumn], Bools]) -> Bools:
    """Ask each value once, then look every item's up; the last place answers for code -1."""
    column = attributes.columns.get(name)
    if column is None:
        return np.zeros(len(attributes), np.bool_)
    return np.append(wanted(column), False)[column.codes]


def _number(raw: object, place: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not abs(raw) <= LARGEST_NUMBER:
        raise BadInput(f"{place} is {_shown(raw)}; it takes a number of at most {LARGEST_NUMBER:g}")
    return float(raw) or 0.0  # and never -0.0


def _text(raw: object, place: str) -> str:
    if not isinstance(raw, str) or not 1 <= len(raw) <= MAX_TEXT_LENGTH or not _is_utf8(raw):
        raise BadInput(f"{place} is {_shown(raw)}; it takes text of 1 to {MAX_TEXT_LENGTH} characters")
    return raw


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _shown(raw: object) -> str:
    """A short look at what came."""
    if isinstance(raw, dict | list):
        return f"{'an object' if isinstance(raw, dict) else 'a list'} of {len(raw)}"
    if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) > LARGEST_NUMBER:
        return "a number of many digits"
    return "null" if raw is None else json.dumps(raw)[:80] if isinstance(raw, str | int | float) else type(raw).__name__


def _text_of(condition: Condition) -> str:
    return json.dumps(condition.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

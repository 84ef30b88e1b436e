"""Reads a filter that strangers sent: bounded in depth, parts, values and text; errors name the place."""

import json
from collections.abc import Mapping
from typing import Any

from contracts.errors import BadInput
from contracts.lake import PRICE
from models.filter_parts import (
    AND,
    BOUNDS,
    EQUALS,
    FIELD,
    IN,
    NOT,
    OR,
    AnyOf,
    Condition,
    Joined,
    Not,
    Value,
    Within,
    text_of,
)

LARGEST_NUMBER = 1e300
MAX_DEPTH = 8
MAX_PARTS = 64
MAX_VALUES = 500  # in all comparisons together
MAX_TEXT_LENGTH = 256


class FilterReader:
    """Reads one predicate and counts what it holds."""

    def __init__(self) -> None:
        self._parts = 0
        self._values = 0

    def read(self, raw: object, place: str, depth: int) -> Condition:
        self._parts += 1
        if depth > MAX_DEPTH:
            raise BadInput(f"{place[:200]} lies deeper than {MAX_DEPTH} levels; make the filter flatter")
        if self._parts > MAX_PARTS:
            raise BadInput(f"{place} is part {self._parts} of the filter; it takes {MAX_PARTS} at most")
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
            inner = part.parts if isinstance(part, Joined) and part.how == how else (part,)
            parts |= {text_of(each): each for each in inner}
        ordered = tuple(parts[text] for text in sorted(parts))
        return ordered[0] if len(ordered) == 1 else Joined(how, ordered)

    def _comparison(self, raw: Mapping[str, Any], place: str) -> Condition:
        name = _text(raw[FIELD], f"{place}.{FIELD}")
        asked = sorted(key for key in raw if key != FIELD)
        if asked and all(key in BOUNDS for key in asked):
            return Within(name, tuple((key, _number(raw[key], f"{place}.{key}")) for key in asked))
        if asked == [EQUALS]:
            return AnyOf(name, (self._value(raw[EQUALS], name, f"{place}.{EQUALS}"),))
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
        return AnyOf(name, tuple(sorted(values, key=lambda value: (isinstance(value, str), value))))

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
    return part.part if isinstance(part, Not) else Not(part)


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

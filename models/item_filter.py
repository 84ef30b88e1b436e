"""Filters over items: JSON of comparisons and and, or, not; bounded, and nothing in them is ever run as code.

    {"field": "category", "equals": "shoes"}        one value: text, a number, true or false
    {"field": "brand", "in": ["north", "south"]}     any of some values
    {"field": "price", "gte": 10, "lt": 50}          a range: gt, gte, lt, lte
    {"and": [...]}   {"or": [...]}   {"not": {...}}

Fields are category, price, and the names of attributes. An item of which a field is not known meets no comparison.
"""

import json
from collections import OrderedDict
from dataclasses import dataclass, field

from contracts.errors import BadInput
from models.filter_parts import Bools, Condition, text_of
from models.filter_reader import FilterReader
from models.item_attributes import ItemAttributes

CACHED_BYTES = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """A predicate that was checked; equal predicates have equal canonical texts."""

    condition: Condition

    @classmethod
    def parse(cls, predicate: object) -> "ItemFilter":
        """Check a predicate as JSON gives it; BadInput names the place and what it takes."""
        return cls(FilterReader().read(predicate, "filter", 1))

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
        return text_of(self.condition)

    def open_rows(self, attributes: ItemAttributes) -> Bools:
        """Which items meet it, bool [items]."""
        return self.condition.rows(attributes)


@dataclass(frozen=True, slots=True)
class FilterMasks:
    """Which items meet each of the last asked filters: a byte an item, up to `most_bytes` in all; for one thread."""

    attributes: ItemAttributes
    most_bytes: int = CACHED_BYTES
    _masks: OrderedDict[str, Bools] = field(default_factory=OrderedDict, init=False, repr=False, compare=False)

    def open_rows(self, text: str) -> Bools:
        """Items that meet a canonical filter, bool [items], read-only; BadInput when it is none."""
        mask = self._masks.get(text)
        if mask is None:
            mask = self._masks[text] = ItemFilter.from_text(text).open_rows(self.attributes)
            mask.flags.writeable = False
            while len(self._masks) > 1 and len(self._masks) * len(self.attributes) > self.most_bytes:
                self._masks.popitem(last=False)
        self._masks.move_to_end(text)
        return mask

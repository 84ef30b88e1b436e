"""A filter opens exactly the items that its words say, has one text for one meaning, and refuses what is no filter."""

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import BadInput
from models.candidate_bundle import CandidateBundle
from models.filter_reader import MAX_DEPTH, MAX_PARTS, MAX_TEXT_LENGTH, MAX_VALUES
from models.item_attributes import AttributeColumn, ItemAttributes, as_number
from models.item_filter import FilterMasks, ItemFilter
from models.user_state import Request
from tests.models.small_world import AS_OF, gathered, own_items

ITEMS: list[dict[str, Any]] = [
    {"category": "shoes", "price": 10.0, "size": "42", "vegan": "true"},
    {"category": "shoes", "price": 50.0, "size": "42.0", "vegan": "false"},
    {"category": "hats", "price": None, "size": "M", "vegan": None},
    {"category": None, "price": 0.0, "size": None, "vegan": "true"},
    {"category": "hats", "price": 20.5, "size": "7", "vegan": None},
]
FIELDS = ("category", "size", "vegan")


def columns_of(name: str) -> AttributeColumn:
    values = sorted({item[name] for item in ITEMS if item[name] is not None})
    codes = [-1 if item[name] is None else values.index(item[name]) for item in ITEMS]
    return AttributeColumn(np.array(codes, np.int32), tuple(values))


ATTRIBUTES = ItemAttributes(
    np.array([np.nan if item["price"] is None else item["price"] for item in ITEMS]),
    {name: columns_of(name) for name in FIELDS},
)


def opened(predicate: object) -> list[int]:
    return np.flatnonzero(ItemFilter.parse(predicate).open_rows(ATTRIBUTES)).tolist()


@pytest.mark.parametrize(
    ("predicate", "rows"),
    [
        ({"field": "category", "equals": "shoes"}, [0, 1]),
        ({"field": "size", "equals": 42}, [0, 1]),
        ({"field": "size", "equals": "42"}, [0]),
        ({"field": "size", "in": ["M", 7, "nothing"]}, [2, 4]),
        ({"field": "vegan", "equals": True}, [0, 3]),
        ({"field": "price", "equals": 0}, [3]),
        ({"field": "price", "in": [10, 20.5]}, [0, 4]),
        ({"field": "price", "gte": 10, "lt": 50}, [0, 4]),
        ({"field": "price", "gt": 10, "lte": 50}, [1, 4]),
        ({"field": "size", "gt": 7}, [0, 1]),
        ({"not": {"field": "price", "gte": 10}}, [2, 3]),
        ({"not": {"field": "colour", "equals": "red"}}, [0, 1, 2, 3, 4]),
        ({"field": "colour", "in": ["red"]}, []),
        ({"and": [{"field": "category", "equals": "shoes"}, {"field": "price", "lt": 20}]}, [0]),
        ({"or": [{"field": "category", "equals": "hats"}, {"field": "price", "lt": 5}]}, [2, 3, 4]),
    ],
)
def test_a_filter_opens_what_it_says(predicate: object, rows: list[int]) -> None:
    assert opened(predicate) == rows


VALUES = st.sampled_from(["shoes", "hats", "42", "M", "true", 42, 7, 0, -0.0, 10.0, 20.5, True, False, "x"])
NUMBERS = st.sampled_from([-5, 0, 7, 10, 20.5, 42, 50])
NAMES = st.sampled_from([*FIELDS, "colour"])
COMPARISONS = st.one_of(
    st.builds(lambda name, value: {"field": name, "equals": value}, NAMES, VALUES),
    st.builds(lambda name, values: {"field": name, "in": values}, NAMES, st.lists(VALUES, min_size=1, max_size=4)),
    st.builds(
        lambda name, bounds: {"field": name, **bounds},
        st.sampled_from(["price", *FIELDS]),
        st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), NUMBERS, min_size=1),
    ),
)
PREDICATES = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"and": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"or": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=6,
)


def meets(item: dict[str, Any], predicate: dict[str, Any]) -> bool:
    """The same meaning, item by item."""
    if "and" in predicate:
        return all(meets(item, part) for part in predicate["and"])
    if "or" in predicate:
        return any(meets(item, part) for part in predicate["or"])
    if "not" in predicate:
        return not meets(item, predicate["not"])
    found = item.get(predicate["field"])
    if found is None:
        return False
    if "equals" in predicate or "in" in predicate:
        wanted = predicate["in"] if "in" in predicate else [predicate["equals"]]
        return any(same(found, value) for value in wanted)
    number = found if isinstance(found, float) else as_number(found)
    compare = {"gt": number.__gt__, "gte": number.__ge__, "lt": number.__lt__, "lte": number.__le__}
    return all(compare[name](float(bound)) is True for name, bound in predicate.items() if name != "field")


def same(found: str | float, value: str | float | bool) -> bool:
    if isinstance(value, bool):
        return found == ("true" if value else "false")
    if isinstance(value, str):
        return found == value
    return (found if isinstance(found, float) else as_number(found)) == value


def shuffled(predicate: Any, by: random.Random) -> Any:
    if isinstance(predicate, list):
        return by.sample([shuffled(one, by) for one in predicate], len(predicate))
    if isinstance(predicate, dict):
        return dict(by.sample([(name, shuffled(one, by)) for name, one in predicate.items()], len(predicate)))
    return predicate


def depth_of(predicate: dict[str, Any]) -> int:
    inner = predicate.get("and") or predicate.get("or") or ([predicate["not"]] if "not" in predicate else [])
    return 1 + max(map(depth_of, inner), default=0)


@given(PREDICATES.filter(lambda predicate: depth_of(predicate) <= MAX_DEPTH), st.randoms())
@settings(deadline=None)
def test_any_filter_means_the_same_item_by_item_and_in_any_order_has_one_text(
    predicate: dict[str, Any], by: random.Random
) -> None:
    assert opened(predicate) == [row for row, item in enumerate(ITEMS) if meets(item, predicate)]
    text = ItemFilter.parse(predicate).canonical()
    assert ItemFilter.parse(shuffled(predicate, by)).canonical() == text
    again = ItemFilter.from_text(text)
    assert again.canonical() == text
    assert again.open_rows(ATTRIBUTES).tolist() == ItemFilter.parse(predicate).open_rows(ATTRIBUTES).tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"field": "a", "in": ["x"]}, {"field": "a", "equals": "x"}),
        ({"field": "a", "equals": 1}, {"field": "a", "equals": 1.0}),
        ({"field": "a", "equals": True}, {"field": "a", "equals": "true"}),
        ({"and": [{"field": "a", "equals": 1}]}, {"field": "a", "equals": 1}),
        ({"not": {"not": {"field": "a", "equals": 1}}}, {"field": "a", "equals": 1}),
        (
            {"or": [{"field": "a", "gt": 1}, {"or": [{"field": "b", "gt": 1}, {"field": "a", "gt": 1}]}]},
            {"or": [{"field": "b", "gt": 1}, {"field": "a", "gt": 1}]},
        ),
    ],
)
def test_one_meaning_has_one_text(one: object, other: object) -> None:
    assert ItemFilter.parse(one).canonical() == ItemFilter.parse(other).canonical()


def nested(levels: int) -> dict[str, Any]:
    predicate: dict[str, Any] = {"field": "a", "equals": 1}
    for _ in range(levels - 1):
        predicate = {"not": predicate}
    return predicate


LEAF = {"field": "a", "equals": 1}


@pytest.mark.parametrize(
    ("predicate", "says"),
    [
        (None, "filter is null; it takes an object with field"),
        ([LEAF], "filter is a list of 1"),
        ({}, "filter is an object of 0"),
        ({"nor": [LEAF]}, 'filter holds "nor"; it takes field and a comparison, or one of and, or and not'),
        ({"and": []}, "filter.and is a list of 0; it takes a list of one or more filters"),
        ({"and": [LEAF, {"or": [LEAF, 3]}]}, r"filter.and\[1\].or\[1\] is 3"),
        ({"not": [LEAF]}, "filter.not is a list of 1"),
        ({"field": "a"}, 'compares "a" by nothing; it takes one of equals and in, or of gt, gte, lt, lte'),
        ({"field": "a", "matches": ".*"}, 'by "matches"'),
        ({"field": "a", "equals": 1, "gt": 2}, 'by "equals", "gt"'),
        ({"field": "", "equals": 1}, "filter.field"),
        ({"field": 3, "equals": 1}, "filter.field is 3"),
        ({"field": "a", "equals": None}, "filter.equals is null"),
        ({"field": "a", "equals": {"x": 1}}, "filter.equals is an object of 1"),
        ({"field": "a", "equals": "\ud800"}, "filter.equals"),
        ({"field": "a", "equals": "x" * (MAX_TEXT_LENGTH + 1)}, f"1 to {MAX_TEXT_LENGTH} characters"),
        ({"field": "a", "gt": "9"}, 'filter.gt is "9"; it takes a number'),
        ({"field": "a", "gt": float("nan")}, "filter.gt is NaN"),
        ({"field": "a", "lt": float("inf")}, "filter.lt is Infinity"),
        ({"field": "a", "lt": 10**400}, "a number of many digits"),
        ({"field": "a", "lt": True}, "filter.lt is true"),
        ({"field": "price", "equals": "10"}, 'filter.equals is "10"; it takes a number'),
        ({"field": "a", "in": []}, "filter.in is a list of 0"),
        ({"field": "a", "in": list(range(MAX_VALUES + 1))}, f"it takes {MAX_VALUES} at most"),
        ({"or": [LEAF] * MAX_PARTS}, f"it takes {MAX_PARTS} at most"),
        (nested(MAX_DEPTH + 1), f"deeper than {MAX_DEPTH} levels"),
        (nested(500), f"deeper than {MAX_DEPTH} levels"),
    ],
)
def test_what_is_no_filter_is_refused_by_place_with_what_is_allowed(predicate: object, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        ItemFilter.parse(predicate)


def test_the_bounds_themselves_are_allowed() -> None:
    for predicate in (
        nested(MAX_DEPTH),
        {"or": [LEAF] * (MAX_PARTS - 1)},
        {"field": "a", "in": list(range(MAX_VALUES))},
    ):
        ItemFilter.parse(predicate)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"field": "a", "lt": ' + "9" * 5_000 + "}"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="filter"):
        ItemFilter.from_text(text)


@pytest.mark.parametrize("text", ["nan", "inf", "1_000", " 7", "0x10", "e", "", "١", "9" * 41, "1e999"])
def test_only_plain_digits_are_numbers(text: str) -> None:
    assert np.isnan(as_number(text))


def test_masks_are_kept_by_meaning_and_within_their_bytes() -> None:
    masks = FilterMasks(ATTRIBUTES, most_bytes=2 * len(ITEMS))
    texts = [ItemFilter.parse({"field": "price", "gt": number}).canonical() for number in range(3)]
    first = masks.open_rows(texts[0])
    assert masks.open_rows(texts[0]) is first
    assert not first.flags.writeable
    masks.open_rows(texts[1])
    masks.open_rows(texts[2])
    assert masks.open_rows(texts[0]) is not first
    assert masks.open_rows(texts[0]).tolist() == first.tolist()


def test_candidates_are_taken_from_what_a_filter_opens_without_losing_depth(bundle: CandidateBundle) -> None:
    even = np.arange(len(bundle.items)) % 2 == 0
    excluded = frozenset({"i0000", "i0002"})
    request = Request("u", AS_OF, own_items(["i0010", "i0011"]), excluded=excluded, allowed_rows=even)
    found = gathered(bundle, request, 60)
    assert len(found) == 60
    assert not found & excluded
    assert all(int(name[1:]) % 2 == 0 for name in found)


def test_a_canonical_text_is_json() -> None:
    text = ItemFilter.parse({"or": [{"field": "ä", "in": ["b", "a"]}, {"field": "price", "gt": 1}]}).canonical()
    assert json.loads(text) == {"or": [{"field": "price", "gt": 1}, {"field": "ä", "in": ["a", "b"]}]}

"""Bands, regions and lengths of history."""

import numpy as np

from models.evaluation_groups import HEAD, NO_REGION, OTHER_REGIONS, TAIL, bands, lengths, regions


def test_the_head_is_whom_the_hour_selected() -> None:
    assert bands(["a", "b"], {"b"}).tolist() == [TAIL, HEAD]


def test_small_regions_are_one_group_and_unknown_ones_another() -> None:
    users = ["a", "b", "c", "d", "e"]
    found = regions(users, {"a": "north", "b": "north", "c": "south", "d": "east", "e": None}, shown=2)
    assert found[:2].tolist() == ["north", "north"]
    assert set(found[2:].tolist()) <= {"east", NO_REGION, OTHER_REGIONS, "south"}
    assert len(set(found.tolist())) == 3


def test_lengths_of_history_are_parts_of_about_equal_size() -> None:
    part, names = lengths(np.arange(1, 101), parts=4)
    assert np.bincount(part).tolist() == [25, 25, 25, 25]
    assert names == ["1–25", "26–50", "51–75", "76–100"]


def test_equal_lengths_are_one_part() -> None:
    part, names = lengths(np.full(9, 5))
    assert {names[place] for place in part.tolist()} == {"5–5"}

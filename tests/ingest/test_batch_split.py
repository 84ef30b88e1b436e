"""A body is cut into events however broken some of them are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.batch_split import cut_by_commas, split_batch

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=6), st.booleans())
def test_an_array_is_cut_between_its_events(values: list[Any], ascii_only: bool) -> None:
    body = json.dumps(values, ensure_ascii=ascii_only, indent=1).encode()
    assert [json.loads(piece) for piece in split_batch(body).pieces] == values


@given(st.lists(VALUES, max_size=6))
def test_the_cut_by_commas_is_the_cut_of_json(values: list[Any]) -> None:
    assert [json.loads(piece) for piece in cut_by_commas(json.dumps(values).encode())] == values


@given(st.binary(max_size=200) | st.text('[]{},:" \\a1', max_size=40).map(str.encode))
def test_no_body_is_too_odd_to_be_cut(body: bytes) -> None:
    batch = split_batch(body)
    assert sum(map(len, batch.pieces)) <= len(body)


@pytest.mark.parametrize(
    "broken",
    [b'{"a": }', b'{"a": "\\ud83d"}', b'{"a": 01}', b'{"a": "\xff"}', b"[" * 5_000 + b"]" * 5_000, b"{'a': 1}", b""],
)
def test_one_that_is_no_json_leaves_its_neighbours_whole(broken: bytes) -> None:
    good = b'{"b": "x, ] \\" y"}'
    for body in (b"[" + b",".join([good, broken, good]) + b"]", b'{"events": [%b, %b, %b]}' % (good, broken, good)):
        pieces = split_batch(body).pieces
        assert (pieces[0], pieces[2]) == (good, good)
        assert pieces[1] == broken


def test_an_object_with_events_is_a_batch_and_any_other_is_one_event() -> None:
    batch = split_batch(b'\xef\xbb\xbf {"sent_at": 12, "events": [{}, 1], "more": 1} ')
    assert (batch.pieces, batch.sent_at, batch.strange_names) == ([b"{}", b"1"], b"12", ("more",))
    assert split_batch(b'{"events": 3}').pieces == [b'{"events": 3}']
    assert split_batch(b' {"user_id": "a"}').pieces == [b'{"user_id": "a"}']
    assert split_batch(b"[]").pieces == []


def test_what_ends_too_early_or_goes_on_too_long_is_a_piece_of_its_own() -> None:
    assert split_batch(b'[{"a":1},{"b"').pieces == [b'{"a":1}', b'{"b"']
    assert split_batch(b'[{"a":1}] [2]').pieces == [b'{"a":1}', b"[2]"]
    assert split_batch(b'[{"a":"x').pieces == [b'{"a":"x']

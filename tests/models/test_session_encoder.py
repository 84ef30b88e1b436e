"""The session encoder: a stored one answers without PyTorch, event by event as at once, and damage is named."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import CorruptData, MissingInput
from contracts.event_contract import CLICK
from models.id_map import IdMap
from models.session_encoder import GAP_STEPS, LAST_EVENTS, OTHER_KIND, SessionEncoder, gap_steps, kind_codes

FOLDER = Path(__file__).parent / "tiny_encoder"  # thirty items in a ring, made by tiny_encoder.py
ITEMS = 30


@pytest.fixture(scope="module")
def encoder() -> SessionEncoder:
    return SessionEncoder.load(FOLDER)


def encode(encoder: SessionEncoder, session: list[int], gap: float = 1.0) -> np.ndarray | None:
    rows = np.array(session, np.int32)
    return encoder.encode(rows, np.full(len(rows), gap, np.float32), clicks(len(rows)))


def clicks(count: int) -> np.ndarray:
    return np.full(count, kind_codes([CLICK])[0])


def best(encoder: SessionEncoder, vector: np.ndarray | None) -> int:
    assert vector is not None
    return int(np.argmax(encoder.item_vectors.astype(np.float32) @ vector))


def test_what_was_learned_is_foretold_from_two_clicks(encoder: SessionEncoder) -> None:
    for row in range(ITEMS):
        assert best(encoder, encode(encoder, [row, (row + 1) % ITEMS])) == (row + 2) % ITEMS


def test_one_click_is_enough_for_the_right_neighbourhood(encoder: SessionEncoder) -> None:
    found = [best(encoder, encode(encoder, [row])) for row in range(ITEMS)]
    assert sum((item - row) % ITEMS in (1, 2) for row, item in enumerate(found)) >= 0.9 * ITEMS


@settings(max_examples=40, deadline=None)
@given(session=st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=LAST_EVENTS), gap=st.floats(0, 1e6))
def test_event_by_event_gives_what_the_whole_session_gives(
    encoder: SessionEncoder, session: list[int], gap: float
) -> None:
    state = encoder.begin()
    for row in session:
        state = encoder.step(state, row, gap, int(clicks(1)[0]))
    np.testing.assert_allclose(encoder.vector(state), encode(encoder, session, gap), atol=1e-4)


def test_only_the_last_events_count_and_unknown_items_do_not(encoder: SessionEncoder) -> None:
    last = [(3 * place) % ITEMS for place in range(LAST_EVENTS)]
    expected = encode(encoder, last)
    np.testing.assert_array_equal(encode(encoder, [7, 8, *last]), expected)
    np.testing.assert_array_equal(encode(encoder, [*last[:5], -1, *last[5:], -1]), expected)


def test_nothing_known_gives_no_vector(encoder: SessionEncoder) -> None:
    assert encode(encoder, []) is None
    assert encode(encoder, [-1, -1]) is None


def test_an_encoder_over_other_rows_finds_the_same_items(encoder: SessionEncoder) -> None:
    other = encoder.aligned_to(IdMap.of([*encoder.items.external_ids[5:], "stranger"]))
    session = ["i10", "i11"]
    moved = encode(other, other.items.rows(session).tolist())
    np.testing.assert_array_equal(moved, encode(encoder, encoder.items.rows(session).tolist()))
    assert other.items.external_ids[best(other, moved)] == "i12"
    assert not other.item_vectors[other.items.rows(["stranger"])].any()


def test_an_encoder_comes_back_as_it_was_saved(encoder: SessionEncoder, tmp_path: Path) -> None:
    digest = encoder.save(tmp_path / "one")
    again = SessionEncoder.load(tmp_path / "one")
    assert again.save(tmp_path / "two") == digest
    np.testing.assert_array_equal(encode(again, [1, 2]), encode(encoder, [1, 2]))


@pytest.mark.parametrize("name", ["encoder.onnx", "item_vectors.npy", "names.json"])
def test_a_changed_byte_is_found_before_anything_is_parsed(tmp_path: Path, name: str) -> None:
    shutil.copytree(FOLDER, tmp_path / "copy")
    content = bytearray((tmp_path / "copy" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "copy" / name).write_bytes(content)
    with pytest.raises(CorruptData, match=name):
        SessionEncoder.load(tmp_path / "copy")


def test_a_missing_encoder_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"models\.encoder_training"):
        SessionEncoder.load(tmp_path / "none")


def test_gaps_double_and_unknown_types_are_one(encoder: SessionEncoder) -> None:
    assert gap_steps(np.array([0, 1, 2, 3, 6, 7, 1e9], np.float32)).tolist() == [0, 1, 1, 2, 2, 3, GAP_STEPS - 1]
    assert kind_codes(["no such type"]).tolist() == [OTHER_KIND]
    assert len(set(kind_codes(["view", "purchase"]))) == 2

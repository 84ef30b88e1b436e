"""The encoder beside candidates: events in, rows of the hour's items out, whatever the ids."""

from pathlib import Path

import numpy as np
import pytest

from contracts.event_contract import CLICK, NOT_INTERESTED
from models.encoder_stage import EncoderStage
from models.id_map import IdMap
from models.session_encoder import SessionEncoder
from models.user_state import LiveSession

FOLDER = Path(__file__).parent / "tiny_encoder"  # thirty items in a ring
CANDIDATES = IdMap.of(["a stranger", *(f"i{row:02d}" for row in range(2, 30)), "new"])


@pytest.fixture(scope="module")
def stage() -> EncoderStage:
    return EncoderStage.beside(CANDIDATES, SessionEncoder.load(FOLDER))


def session_of(*items: str, kind: str = CLICK) -> LiveSession:
    at = 1_700_000_000 + np.arange(len(items))
    return LiveSession(items, (kind,) * len(items), at, np.full(len(items), np.nan))


def test_what_comes_next_is_named_by_the_candidates_rows(stage: EncoderStage) -> None:
    found = stage.next_items(session_of("i10", "i11"), 5)
    assert CANDIDATES.external_ids[found.rows[0]] == "i12"
    assert np.all(np.diff(found.scores) <= 0)
    assert found.rows.dtype == np.int32


def test_items_without_a_vector_never_come(stage: EncoderStage) -> None:
    found = stage.next_items(session_of("i10"), len(CANDIDATES))
    assert {CANDIDATES.external_ids[row] for row in found.rows} == {f"i{row:02d}" for row in range(2, 30)}


def test_unknown_and_unwanted_items_say_nothing(stage: EncoderStage) -> None:
    assert not len(stage.next_items(session_of("i01", "nobody"), 5).rows)
    assert not len(stage.next_items(session_of("i10", kind=NOT_INTERESTED), 5).rows)
    mixed = stage.next_items(session_of("nobody", "i10", "i11"), 5)
    assert CANDIDATES.external_ids[mixed.rows[0]] == "i12"

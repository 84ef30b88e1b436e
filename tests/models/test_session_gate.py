"""A new session model serves only when it is ahead of popularity and not behind the one before."""

import numpy as np
import pytest

from contracts.errors import GateRefused
from models.session_gate import Predict, pass_session_gate, reciprocal_ranks
from models.sessions import Sessions

STEPS = 30
SESSIONS = Sessions.of_clicks(
    np.repeat(np.arange(STEPS), 3),
    np.array([(session + step) % 10 for session in range(STEPS) for step in range(3)], np.int32),
    np.arange(3 * STEPS),
)


def following(distance: int) -> Predict:
    """Foretells the item so many after the last, and the right one after that."""
    return lambda rows, _: np.array([(rows[-1] + distance) % 10, (rows[-1] + 1) % 10], np.int32)


def test_ranks_are_those_of_every_click_but_the_first() -> None:
    assert reciprocal_ranks(SESSIONS, following(1)).tolist() == [1.0] * 2 * STEPS
    assert reciprocal_ranks(SESSIONS, following(2)).tolist() == [0.5] * 2 * STEPS


def test_the_better_one_passes_with_its_figures() -> None:
    figures = pass_session_gate(SESSIONS, following(1), following(2), following(3))
    assert (figures.gate_clicks, figures.mrr, figures.mrr_popularity, figures.mrr_previous) == (60, 1, 0.5, 0.5)
    assert figures.as_figures()["difference_low"] == 0.5


@pytest.mark.parametrize(("popularity", "previous", "reason"), [(1, 2, "popularity"), (3, 1, "previous model")])
def test_the_worse_one_is_refused(popularity: int, previous: int, reason: str) -> None:
    with pytest.raises(GateRefused, match=reason):
        pass_session_gate(SESSIONS, following(2), following(popularity), following(previous))

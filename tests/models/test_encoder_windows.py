"""What an encoder learns from: every step of every session once, and no step from one session into the next."""

import numpy as np
import pytest

from contracts.errors import BadInput
from models.encoder_windows import PADDING, batches, cut_windows
from models.sessions import Sessions

LENGTH = 4


def sessions_of(*sessions: list[int]) -> Sessions:
    codes = np.repeat(np.arange(len(sessions)), [len(one) for one in sessions])
    rows = np.array([row for one in sessions for row in one], np.int32)
    return Sessions.of_clicks(codes, rows, codes * 100 + np.arange(len(rows)))


def steps(rows: np.ndarray) -> list[tuple[int, int]]:
    pairs = zip(rows[:, :-1].ravel(), rows[:, 1:].ravel(), strict=True)
    return sorted((int(one), int(other)) for one, other in pairs if other != PADDING)


def test_every_step_of_a_long_session_is_in_one_window() -> None:
    windows = cut_windows(sessions_of([0, 1, 2, 3, 4, 5, 6, 7, 8], [20, 21], [30]), LENGTH, None)
    assert steps(windows.rows) == [*((row, row + 1) for row in range(8)), (20, 21)]
    assert windows.rows.shape[1] == LENGTH + 1


def test_batches_hold_every_window_once_and_are_no_wider_than_needed() -> None:
    windows = cut_windows(sessions_of([0, 1, 2], [5, 6], [7, 8], [9, 4]), LENGTH, None)
    dealt = list(batches(windows, 1, np.random.default_rng(1)))
    assert sorted(one.rows.shape[1] for one in dealt) == [2, 2, 2, 3]
    assert sorted(step for one in dealt for step in steps(one.rows)) == steps(windows.rows)


def test_shuffling_keeps_the_items_of_a_window_and_its_padding_last() -> None:
    windows = cut_windows(sessions_of([0, 1, 2, 3, 4], [5, 6]), LENGTH, None)
    random = np.random.default_rng(1)
    shuffled = [windows.shuffled(random).rows for _ in range(20)]
    assert all(sorted(rows[0]) == sorted(windows.rows[0]) for rows in shuffled)
    assert all(rows[1, 2:].tolist() == [PADDING] * 3 for rows in shuffled)
    assert len({tuple(rows[0]) for rows in shuffled}) > 5


def test_sessions_of_one_event_teach_nothing_and_say_so() -> None:
    with pytest.raises(BadInput, match="two events"):
        cut_windows(sessions_of([0], [1]), LENGTH, None)

"""Sessions cut into pieces of one length and dealt in batches, for an encoder to learn from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput
from contracts.event_contract import CLICK
from models.session_encoder import gap_steps, kind_codes
from models.sessions import Sessions, time_gaps

PADDING = -1


@dataclass(frozen=True, slots=True)
class Windows:
    """w pieces of sessions, padded at the end with rows of -1: int64 [w, length + 1] each."""

    rows: NDArray[np.int64]
    gaps: NDArray[np.int64]
    kinds: NDArray[np.int64]

    def some(self, picked: NDArray[np.int64]) -> "Windows":
        """These windows, no wider than the longest of them."""
        width = int((self.rows[picked] != PADDING).sum(axis=1).max())
        return Windows(*(one[picked, :width] for one in (self.rows, self.gaps, self.kinds)))

    def shuffled(self, random: np.random.Generator) -> "Windows":
        """The same items in another order, each window by itself."""
        keys = np.where(self.rows != PADDING, random.random(self.rows.shape), 2.0)  # padding stays at the end
        order = np.argsort(keys, axis=1)
        return Windows(np.take_along_axis(self.rows, order, axis=1), self.gaps, self.kinds)


def cut_windows(sessions: Sessions, length: int, kinds: NDArray[np.int32] | None) -> Windows:
    """Pieces of at most `length` + 1 events, each beginning with the event that ended the one before.

    Without `kinds` every event is a click.
    """
    typed = np.full(len(sessions.item_rows), kind_codes([CLICK])[0]) if kinds is None else kinds
    spans = list(zip(sessions.starts[:-1], sessions.starts[1:], strict=True))
    pieces = [
        (begin + low, min(begin + low + length + 1, end))
        for begin, end in spans
        for low in range(0, end - begin - 1, length)
    ]
    if not pieces:
        raise BadInput("no session has two events; an encoder learns from what follows what")
    gaps = np.zeros(len(sessions.item_rows), np.int64)
    for begin, end in spans:
        gaps[begin:end] = gap_steps(time_gaps(sessions.clicked_at[begin:end]))
    out = Windows(*(np.full((len(pieces), length + 1), fill, np.int64) for fill in (PADDING, 0, 0)))
    for place, (low, high) in enumerate(pieces):
        out.rows[place, : high - low] = sessions.item_rows[low:high]
        out.gaps[place, : high - low] = gaps[low:high]
        out.kinds[place, : high - low] = typed[low:high]
    return out


def batches(windows: Windows, size: int, random: np.random.Generator) -> Iterator[Windows]:
    """All windows once, in an order drawn anew."""
    order = random.permutation(len(windows.rows))
    for low in range(0, len(order), size):
        yield windows.some(order[low : low + size])

"""Sessions as flat arrays: clicks in the order of time, one session after the other, ordered by their last click."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput


@dataclass(frozen=True, slots=True)
class Sessions:
    """n sessions with c clicks together; session s holds clicks `starts[s]` to `starts[s + 1]`.

    `item_rows` int32 [c], 0 or more; `clicked_at` int64 [c] epoch seconds, never falling within a session; `starts`
    int64 [n + 1]. Sessions come by their last click, so that the most recent ones are the last.
    """

    item_rows: NDArray[np.int32]
    clicked_at: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of_clicks(
        cls, session_codes: NDArray[np.int64], item_rows: NDArray[np.int32], clicked_at: NDArray[np.int64]
    ) -> "Sessions":
        """Build from clicks in any order; clicks of one session with equal instants keep the order they came in."""
        if not len(session_codes) == len(item_rows) == len(clicked_at):
            raise BadInput(
                f"clicks came as columns of {len(session_codes)}, {len(item_rows)} and {len(clicked_at)} rows; "
                "give all the same"
            )
        if len(item_rows) and item_rows.min() < 0:
            raise BadInput(f"a click is on item row {item_rows.min()}; leave out clicks on unknown items")
        _, codes = np.unique(session_codes, return_inverse=True)
        ends = np.full(codes.max(initial=-1) + 1, np.iinfo(np.int64).min)
        np.maximum.at(ends, codes, clicked_at)
        order = np.lexsort((clicked_at, codes, ends[codes]))
        _, counts = _runs(codes[order])
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(item_rows[order].astype(np.int32), clicked_at[order].astype(np.int64), starts)

    def part(self, begin: int, end: int) -> "Sessions":
        """Sessions `begin` to `end`, end left out."""
        low, high = self.starts[begin], self.starts[end]
        starts = self.starts[begin : end + 1] - low
        return Sessions(self.item_rows[low:high], self.clicked_at[low:high], starts)

    def codes(self) -> NDArray[np.int64]:
        """The session of each click, int64 [c]."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


def time_gaps(clicked_at: NDArray[np.int64]) -> NDArray[np.float32]:
    """Seconds between each click and the one before it, float32 of the same length; 0 for the first."""
    gaps = np.zeros(len(clicked_at), np.float32)
    gaps[1:] = np.diff(clicked_at)
    return gaps


def flat_ranges(begins: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places begins[i] … begins[i] + counts[i] - 1 of every i, one after the other."""
    shifts = begins - np.cumsum(counts) + counts
    return np.repeat(shifts, counts) + np.arange(int(counts.sum()))


def _runs(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each run of equal codes and its length, in order."""
    if not len(codes):
        return codes, codes
    begins = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    return codes[begins], np.diff(np.append(begins, len(codes)))

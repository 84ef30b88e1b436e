"""Many lists as flat arrays, so that rules over all of them are a few array operations."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.lake import ITEM_IDS, SCORES


@dataclass(frozen=True, slots=True)
class FlatLists:
    """Lists one behind the other: the list and the item code of each place; `items` turns codes into ids."""

    lengths: NDArray[np.int64]
    score_lengths: NDArray[np.int64]
    list_of: NDArray[np.int64]
    codes: NDArray[np.int64]
    scores: NDArray[np.float64]
    items: pa.Array

    @classmethod
    def of(cls, rows: pa.Table) -> "FlatLists":
        """Flatten ITEM_IDS and SCORES of each row; a missing list is an empty one."""
        ids, scores = (rows.column(name).combine_chunks() for name in (ITEM_IDS, SCORES))
        lengths, score_lengths = (
            pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
            for column in (ids, scores)
        )
        coded = ids.flatten().dictionary_encode()
        return cls(
            lengths=lengths,
            score_lengths=score_lengths,
            list_of=np.repeat(np.arange(len(lengths)), lengths),
            codes=coded.indices.to_numpy(zero_copy_only=False).astype(np.int64),
            scores=scores.flatten().to_numpy(zero_copy_only=False).astype(np.float64),
            items=coded.dictionary,
        )

    @property
    def mismatched(self) -> int:
        """Lists with another number of scores than of items."""
        return int((self.lengths != self.score_lengths).sum())

    @property
    def with_duplicates(self) -> int:
        """Lists that hold an item twice."""
        places = self.list_of * max(len(self.items), 1) + self.codes
        seen, counts = np.unique(places, return_counts=True)
        return len(np.unique(seen[counts > 1] // max(len(self.items), 1)))

    @property
    def badly_scored(self) -> int:
        """Lists with a score that is not finite or is above the one before it."""
        bad = ~np.isfinite(self.scores)
        if len(self.scores) > 1:
            rises = np.diff(self.scores) > 0
            bad[1:] |= rises & (np.diff(self.list_of) == 0)
        return len(np.unique(self.list_of[bad]))

    def with_unknown(self, known: pa.Array) -> int:
        """Lists that hold an item which is not among `known`."""
        strange = ~pc.is_in(self.items, known).to_numpy(zero_copy_only=False)
        return len(np.unique(self.list_of[strange[self.codes]])) if strange.any() else 0

    def with_own(self, owners: pa.ChunkedArray) -> int:
        """Lists that hold the very item they are about; `owners` is parallel to the lists."""
        own = pc.index_in(owners.combine_chunks(), self.items)
        codes = pc.fill_null(own, -1).to_numpy(zero_copy_only=False)
        return len(np.unique(self.list_of[codes[self.list_of] == self.codes]))

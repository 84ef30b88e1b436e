"""External ids as rows: sorted once, so that the same ids always get the same rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

UNKNOWN_ROW = -1


@dataclass(frozen=True, slots=True)
class IdMap:
    """A bijection of external ids and rows 0..n-1 in the order of ids."""

    external_ids: tuple[str, ...]
    _rows: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", {external_id: row for row, external_id in enumerate(self.external_ids)})

    @classmethod
    def of(cls, external_ids: Iterable[str]) -> "IdMap":
        """Map the distinct ids of any iterable."""
        return cls(tuple(sorted(set(external_ids))))

    def __len__(self) -> int:
        return len(self.external_ids)

    def rows(self, external_ids: Sequence[str]) -> NDArray[np.int32]:
        """Rows of ids, int32 of the same length; UNKNOWN_ROW where an id is not known."""
        find = self._rows.get
        return np.fromiter(
            (find(external_id, UNKNOWN_ROW) for external_id in external_ids), np.int32, len(external_ids)
        )

"""What the first stage needs of one hour: factors, neighbours, item statistics, popularity; plain arrays on disk."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput
from contracts.features import ITEM_STATS
from models.als import FoldIn
from models.bundle import verify_bundle, write_bundle
from models.id_map import IdMap

MADE_BY = "python -m headrace hour"
ARRAYS = ("item_factors", "neighbour_rows", "neighbour_scores", "item_stats", "category_codes", "popular_rows")
NAMES_FILE = "names.json"


@dataclass(frozen=True, slots=True)
class CandidateBundle:
    """n items with d factors and up to K neighbours each.

    `item_factors` float32 [n, d]; `neighbour_rows` int32 [n, K] best first, padded with -1; `neighbour_scores`
    float32 [n, K]; `item_stats` float64 [n, len(ITEM_STATS)], NaN where unknown; `category_codes` int32 [n], indices
    into `categories`, -1 where unknown; `popular_rows` int32, rows by recent popularity, best first.
    """

    items: IdMap
    item_factors: NDArray[np.float32]
    neighbour_rows: NDArray[np.int32]
    neighbour_scores: NDArray[np.float32]
    item_stats: NDArray[np.float64]
    category_codes: NDArray[np.int32]
    popular_rows: NDArray[np.int32]
    categories: tuple[str, ...]
    interval_key: str
    engine: str
    regularization: float
    fold_in: FoldIn = field(init=False, repr=False, compare=False)
    category_prices: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        count = len(self.items)
        for name in ("item_factors", "neighbour_rows", "neighbour_scores", "item_stats", "category_codes"):
            if len(getattr(self, name)) != count:
                raise BadInput(
                    f"{name} has {len(getattr(self, name))} rows for {count} items; build both from one id map"
                )
        if self.item_stats.shape[1:] != (len(ITEM_STATS),):
            raise BadInput(f"item_stats has shape {self.item_stats.shape}; it takes {len(ITEM_STATS)} columns")
        object.__setattr__(self, "fold_in", FoldIn(self.item_factors, self.regularization))
        object.__setattr__(self, "category_prices", self._mean_prices())

    def _mean_prices(self) -> NDArray[np.float64]:
        """Mean price of each category's items, and a last NaN that code -1 picks."""
        prices = self.item_stats[:, ITEM_STATS.index("item_price")]
        priced = (self.category_codes >= 0) & np.isfinite(prices)
        size = len(self.categories) + 1
        counts = np.bincount(self.category_codes[priced], minlength=size)
        sums = np.bincount(self.category_codes[priced], weights=prices[priced], minlength=size)
        means = np.full(size, np.nan)
        np.divide(sums, counts, out=means, where=counts > 0)
        return means

    def save(self, folder: Path, notes: Mapping[str, Any]) -> str:
        """Write the bundle into `folder` and return its digest; `notes` join the manifest."""

        def write_files(partial: Path) -> None:
            for name in ARRAYS:
                np.save(partial / f"{name}.npy", getattr(self, name), allow_pickle=False)
            names = {"items": self.items.external_ids, "categories": self.categories}
            (partial / NAMES_FILE).write_text(json.dumps(names, ensure_ascii=False))

        own_notes = {"interval_key": self.interval_key, "engine": self.engine, "regularization": self.regularization}
        return write_bundle(folder, write_files, {**notes, **own_notes})

    @classmethod
    def load(cls, folder: Path) -> "CandidateBundle":
        """Read a bundle whose digests hold; MissingInput or CorruptData otherwise."""
        manifest = verify_bundle(folder, made_by=MADE_BY)
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in ARRAYS}
        names = json.loads((folder / NAMES_FILE).read_text())
        return cls(
            items=IdMap(tuple(names["items"])),
            categories=tuple(names["categories"]),
            interval_key=manifest["interval_key"],
            engine=manifest["engine"],
            regularization=manifest["regularization"],
            **arrays,
        )

"""What the first stage needs of one hour: factors, neighbours, item statistics, popularity; plain arrays on disk."""

import io
import json
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput, CorruptData
from contracts.features import ITEM_STATS
from contracts.lake import CATEGORY
from models.als import FoldIn
from models.bundle import read_bundle, write_bundle
from models.id_map import UNKNOWN_ROW, IdMap
from models.item_attributes import AttributeColumn, ItemAttributes
from models.item_features import category_prices, item_features
from models.item_vectors import described_vectors
from models.retrieval_index import EXACT, RetrievalIndex, build_index, open_index

MADE_BY = "python -m headrace hour"
ARRAYS = ("item_factors", "neighbour_rows", "neighbour_scores", "item_stats", "category_codes", "popular_rows")
NAMES_FILE = "names.json"
DESCRIBED_BY = "described_by"
PRICES_FILE, CODES_FILE = "item_prices.npy", "attribute_codes.npy"  # a bundle of before knows of no attributes
INDEX_FILE = "retrieval.faiss"  # an exact index is made from the factors faster than it is read


@dataclass(frozen=True, slots=True)
class CandidateBundle:
    """n items with d factors and up to K neighbours each.

    `item_factors` float32 [n, d], a row of zeros where nothing is known; `neighbour_rows` int32 [n, K] best first,
    padded with -1; `neighbour_scores` float32 [n, K]; `item_stats` float64 [n, len(ITEM_STATS)], NaN where unknown;
    `category_codes` int32 [n], indices into `categories`, -1 where unknown; `popular_rows` int32, distinct rows by
    recent popularity, best first. BadInput when they do not fit each other.

    `touched` bool [n] marks items with factors of their own, `foretold` those without, whose vector is foretold from
    the attribute `described_by`, or else from the category. `retrieval` searches the touched ones, by `given_index`, or
    its bytes, where it is over these very vectors, exactly otherwise; `new_retrieval` searches the foretold ones. Both
    score any item.
    `attributes` is what filters ask, the category among it.
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
    attributes: ItemAttributes = field(default_factory=ItemAttributes, repr=False, compare=False)
    described_by: str = CATEGORY
    given_index: InitVar[RetrievalIndex | bytes | None] = None
    retrieval: RetrievalIndex = field(init=False, repr=False, compare=False)
    new_retrieval: RetrievalIndex = field(init=False, repr=False, compare=False)
    fold_in: FoldIn = field(init=False, repr=False, compare=False)
    category_prices: NDArray[np.float64] = field(init=False, repr=False, compare=False)
    item_features: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    touched: NDArray[np.bool_] = field(init=False, repr=False, compare=False)
    foretold: NDArray[np.bool_] = field(init=False, repr=False, compare=False)

    def __post_init__(self, given_index: RetrievalIndex | bytes | None) -> None:
        self._refuse_misfits()
        prices = category_prices(self.item_stats, self.category_codes, len(self.categories))
        touched = np.asarray(self.item_factors.any(axis=1), np.bool_)
        attributes = self.attributes.with_categories(self.category_codes, self.categories)
        finer = attributes.columns[self.described_by].codes
        vectors = described_vectors(self.item_factors, finer, self.category_codes)
        foretold = vectors.any(axis=1) & ~touched
        derived = {
            "fold_in": FoldIn(self.item_factors, self.regularization),
            "category_prices": prices,
            "item_features": item_features(self.item_stats, self.category_codes, prices),
            "retrieval": _index_over(vectors, touched, given_index),
            "new_retrieval": build_index(vectors, EXACT, np.flatnonzero(foretold).astype(np.int32)),
            "attributes": attributes,
            "touched": touched,
            "foretold": foretold,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def _refuse_misfits(self) -> None:
        count = len(self.items)
        for name in ("item_factors", "neighbour_rows", "neighbour_scores", "item_stats", "category_codes"):
            rows = len(getattr(self, name))
            if rows != count:
                raise BadInput(f"{name} has {rows} rows for {count} items; build both from one id map")
        if self.described_by not in (CATEGORY, *self.attributes.columns):
            raise BadInput(f"items are described by {self.described_by}, which is not among their attributes")
        if len(self.attributes) not in (0, count):
            raise BadInput(f"attributes of {len(self.attributes)} items came for {count}; build both from one id map")
        if self.item_stats.shape[1:] != (len(ITEM_STATS),):
            raise BadInput(f"item_stats has shape {self.item_stats.shape}; it takes {len(ITEM_STATS)} columns")
        if not (np.isfinite(self.item_factors).all() and np.isfinite(self.neighbour_scores).all()):
            raise BadInput("item factors or neighbour scores are not finite; look at the weights they were made from")
        limits = {
            "neighbour_rows": (UNKNOWN_ROW, count),
            "popular_rows": (0, count),
            "category_codes": (UNKNOWN_ROW, len(self.categories)),
        }
        for name, (low, high) in limits.items():
            rows = getattr(self, name)
            if rows.size and not low <= rows.min() <= rows.max() < high:
                raise BadInput(f"{name} holds {rows.min()} to {rows.max()}; it takes {low} to {high - 1}")

    def save(self, folder: Path, notes: Mapping[str, Any]) -> str:
        """Write the bundle into `folder` and return its digest; `notes` join the manifest."""

        def write_files(partial: Path) -> None:
            for name in ARRAYS:
                np.save(partial / f"{name}.npy", getattr(self, name), allow_pickle=False)
            columns = self.attributes.own_columns
            np.save(partial / PRICES_FILE, self.attributes.prices, allow_pickle=False)
            codes = [column.codes for column in columns.values()] or np.zeros((0, len(self.items)))
            np.save(partial / CODES_FILE, np.asarray(codes, np.int32), allow_pickle=False)
            names = {
                "items": self.items.external_ids,
                "categories": self.categories,
                "item_stats": ITEM_STATS,
                "attributes": {name: column.values for name, column in columns.items()},
                DESCRIBED_BY: self.described_by,
            }
            (partial / NAMES_FILE).write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
            if self.retrieval.kind != EXACT:
                (partial / INDEX_FILE).write_bytes(self.retrieval.to_bytes())

        own_notes = {"interval_key": self.interval_key, "engine": self.engine, "regularization": self.regularization}
        return write_bundle(folder, write_files, {**notes, **own_notes})

    @classmethod
    def load(cls, folder: Path) -> "CandidateBundle":
        """Read a bundle whose digests hold; MissingInput or CorruptData otherwise."""
        files = {name: f"{name}.npy" for name in ARRAYS}
        manifest, contents = read_bundle(
            folder, [*files.values(), NAMES_FILE], made_by=MADE_BY, if_listed=(INDEX_FILE, PRICES_FILE, CODES_FILE)
        )
        names = json.loads(contents[NAMES_FILE])
        if names.get("item_stats") != list(ITEM_STATS):
            raise CorruptData(f"{folder} holds other item statistics than this version knows; make it again: {MADE_BY}")
        arrays: dict[str, Any] = {name: _array(contents[file]) for name, file in files.items()}
        return cls(
            items=IdMap(tuple(names["items"])),
            categories=tuple(names["categories"]),
            interval_key=manifest["interval_key"],
            engine=manifest["engine"],
            regularization=manifest["regularization"],
            attributes=_attributes(contents, names),
            described_by=names.get(DESCRIBED_BY, CATEGORY),
            given_index=contents.get(INDEX_FILE),
            **arrays,
        )


def _attributes(contents: Mapping[str, bytes], names: Mapping[str, Any]) -> ItemAttributes:
    if PRICES_FILE not in contents or CODES_FILE not in contents:
        return ItemAttributes()
    pairs = zip(_array(contents[CODES_FILE]), names["attributes"].items(), strict=True)
    columns = {name: AttributeColumn(codes, tuple(values)) for codes, (name, values) in pairs}
    return ItemAttributes(_array(contents[PRICES_FILE]), columns)


def _array(content: bytes) -> NDArray[Any]:
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))


def _index_over(
    vectors: NDArray[np.float32], touched: NDArray[np.bool_], given: RetrievalIndex | bytes | None
) -> RetrievalIndex:
    rows = None if touched.all() else np.flatnonzero(touched).astype(np.int32)
    if isinstance(given, bytes):
        return open_index(vectors, given, rows)
    if given is not None and _is_over(given, vectors, rows):
        return given
    return build_index(vectors, EXACT, rows)


def _is_over(index: RetrievalIndex, vectors: NDArray[np.float32], rows: NDArray[np.int32] | None) -> bool:
    if (index.rows is None) != (rows is None) or not np.array_equal(index.vectors, vectors):
        return False
    return rows is None or index.rows is None or np.array_equal(index.rows, rows)

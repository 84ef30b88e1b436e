"""What a candidate bundle keeps of each item, in the order of its id map: statistics, categories, attributes."""

from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.features import ITEM_STATS
from contracts.lake import AVAILABLE, CATEGORY, ITEM_ID, PRICE
from models.id_map import UNKNOWN_ROW, IdMap
from models.item_attributes import AttributeColumn, ItemAttributes, as_number
from spark_jobs.catalogue import Catalogue, entries_of

MOST_FIELDS = 32  # those that most items have
MOST_TEXTS = 65_536  # a field of more different texts is a name or a description, and nobody filters by it
NO_FIELDS = frozenset({CATEGORY, PRICE, AVAILABLE})  # these are known by other ways
_PRICE_PLACE = ITEM_STATS.index("item_price")


def statistics_of(items: IdMap, stats: pa.Table, prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of item_stats as float64 [items, ITEM_STATS], NaN where unknown; of an item without, the catalogue's price.

    `prices` float64 [items] are the catalogue's.
    """
    order = items.rows(stats[ITEM_ID].to_pylist())
    matrix = np.full((len(items), len(ITEM_STATS)), np.nan)
    matrix[:, _PRICE_PLACE] = prices
    values = np.column_stack([stats[name].to_numpy(zero_copy_only=False) for name in ITEM_STATS])
    known = order != UNKNOWN_ROW
    matrix[order[known]] = values[known]
    return matrix


def categories_of(items: IdMap, stats: pa.Table, catalogue: Catalogue) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Category of each item as a code, UNKNOWN_ROW where it has none, and the categories in the order of codes.

    Of an item with statistics it is the one that these were made with.
    """
    of_item: dict[str, str | None] = {}
    for rows in (catalogue.rows, stats):
        of_item |= dict(zip(rows[ITEM_ID].to_pylist(), rows[CATEGORY].to_pylist(), strict=True))
    named = [of_item.get(item) for item in items.external_ids]
    categories = IdMap.of(name for name in named if name is not None)
    codes = np.array([UNKNOWN_ROW if name is None else 0 for name in named], np.int32)
    codes[codes >= 0] = categories.rows([name for name in named if name is not None])
    return codes, categories.external_ids


def prices_of(items: IdMap, catalogue: Catalogue) -> NDArray[np.float64]:
    """The catalogue's prices, float64 [items], NaN where it has none."""
    prices = np.full(len(items), np.nan)
    order = items.rows(catalogue.item_ids)
    values = catalogue.rows[PRICE].to_numpy(zero_copy_only=False).astype(np.float64)
    prices[order[order >= 0]] = values[order >= 0]
    return prices


def attributes_of(
    items: IdMap, catalogue: Catalogue, prices: NDArray[np.float64]
) -> tuple[ItemAttributes, tuple[str, ...]]:
    """Attributes that can be filtered by, and the names of those that cannot: too rare, or of too many texts.

    `prices` float64 [items], NaN where unknown.
    """
    order = items.rows(catalogue.item_ids)
    counts: Counter[str] = Counter()
    found: dict[str, list[tuple[NDArray[np.int32], pa.Array]]] = defaultdict(list)
    for entries in entries_of(catalogue.rows):
        rows, names = order[entries.rows], entries.names.dictionary_encode()
        codes = names.indices.to_numpy(zero_copy_only=False)
        for code, name in enumerate(names.dictionary.to_pylist()):
            places = np.flatnonzero((codes == code) & (rows >= 0))
            if len(places) and name not in NO_FIELDS:
                counts[name] += len(places)
                found[name].append((rows[places], entries.values.take(pa.array(places))))
    kept = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_FIELDS]
    columns = {name: _column_of(len(items), found[name]) for name in kept}
    usable = {name: column for name, column in columns.items() if column is not None}
    return ItemAttributes(prices, usable), tuple(sorted(counts.keys() - usable.keys()))


def _column_of(count: int, pieces: list[tuple[NDArray[np.int32], pa.Array]]) -> AttributeColumn | None:
    """Values by item; None for texts that are nearly all different."""
    texts = pa.chunked_array([values for _, values in pieces])
    values = sorted(value for value in pc.unique(texts).to_pylist() if value is not None)
    if len(values) > MOST_TEXTS and any(np.isnan(as_number(value)) for value in values):
        return None
    codes = np.full(count, UNKNOWN_ROW, np.int32)
    known = pa.array(values, pa.string())
    for rows, texts_of_rows in pieces:
        places = pc.fill_null(pc.index_in(texts_of_rows, known), UNKNOWN_ROW)
        codes[rows] = places.to_numpy(zero_copy_only=False)
    return AttributeColumn(codes, tuple(values))

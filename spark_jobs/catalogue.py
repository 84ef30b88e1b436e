"""The catalogue as jobs need it: what must not be recommended, categories, rows of items."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.features import ITEM_STATS
from contracts.lake import ATTRIBUTES, AVAILABLE, CATEGORY, ITEM_ID, ITEMS
from models.id_map import UNKNOWN_ROW, IdMap
from spark_jobs.held_files import hold

UNAVAILABLE_VALUES = frozenset({"false", "0", "no"})  # of the attribute AVAILABLE; an item without it is available


def unavailable_items(lake: Path) -> frozenset[str]:
    """Items that the catalogue marks as not available."""
    found = set()
    for file in hold(lake, ITEMS.path(lake)):
        rows = pq.read_table(file, columns=[ITEM_ID, ATTRIBUTES])
        for item, attributes in zip(rows[ITEM_ID].to_pylist(), rows[ATTRIBUTES].to_pylist(), strict=True):
            if dict(attributes or ()).get(AVAILABLE, "").lower() in UNAVAILABLE_VALUES:
                found.add(item)
    return frozenset(found)


def statistics_of(items: IdMap, stats: pa.Table) -> NDArray[np.float64]:
    """Rows of item_stats as float64 [items, ITEM_STATS] in the order of the id map, NaN where unknown."""
    order = items.rows(stats[ITEM_ID].to_pylist())
    matrix = np.full((len(items), len(ITEM_STATS)), np.nan)
    values = np.column_stack([stats[name].to_numpy(zero_copy_only=False) for name in ITEM_STATS])
    known = order != UNKNOWN_ROW
    matrix[order[known]] = values[known]
    return matrix


def categories_of(items: IdMap, stats: pa.Table) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Category of each item as a code, UNKNOWN_ROW where it has none, and the categories in the order of codes."""
    of_item = dict(zip(stats[ITEM_ID].to_pylist(), stats[CATEGORY].to_pylist(), strict=True))
    categories = IdMap.of(of_item[item] for item in items.external_ids if of_item[item] is not None)
    codes = categories.rows([of_item[item] for item in items.external_ids])
    return codes.astype(np.int32), categories.external_ids

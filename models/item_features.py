"""What a bundle can compute of its items once, so that a request only picks rows; same definitions, same numbers.

Columns are those of FEATURE_ORDER that depend on the item alone. Ages depend on the request too:
`models.feature_matrix` fills their places.
"""

import numpy as np
from numpy.typing import NDArray

from contracts.features import ITEM_FEATURES, ITEM_STATS

PRICE_RATIO = "price_ratio_to_category"
ITEM_COLUMNS = (*ITEM_FEATURES, PRICE_RATIO)


def category_prices(
    item_stats: NDArray[np.float64], category_codes: NDArray[np.int32], categories: int
) -> NDArray[np.float64]:
    """Mean price of each category's items, float64 [categories + 1]; the last is NaN and answers for code -1."""
    prices = item_stats[:, ITEM_STATS.index("item_price")]
    priced = (category_codes >= 0) & np.isfinite(prices)
    counts = np.bincount(category_codes[priced], minlength=categories + 1)
    sums = np.bincount(category_codes[priced], weights=prices[priced], minlength=categories + 1)
    means = np.full(categories + 1, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def item_features(
    item_stats: NDArray[np.float64], category_codes: NDArray[np.int32], prices: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Features of each item in the order of ITEM_COLUMNS, float32 [n, columns]; ages are NaN."""
    item = dict(zip(ITEM_STATS, item_stats.T, strict=True))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        derived = {
            "item_trend_24h": 7 * item["item_count_24h"] / item["item_count_7d"],
            "item_trend_7d": 30 / 7 * item["item_count_7d"] / item["item_count_30d"],
            "item_events_per_user": item["item_count_window"] / item["item_user_count"],
            PRICE_RATIO: item["item_price"] / prices[category_codes],
        }
        known = item | derived
        made = np.full((len(item_stats), len(ITEM_COLUMNS)), np.nan, np.float32)
        for place, name in enumerate(ITEM_COLUMNS):
            if name in known:
                made[:, place] = known[name]
    made[~np.isfinite(made)] = np.nan
    return made

"""The one definition of each feature: request, candidates and item statistics in, float32 matrix out.

Batch, training and request all come through here. docs/features.md says each definition in words.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from contracts.features import DAYPARTS, FEATURE_ORDER, ITEM_STATS, USER_STATS
from contracts.lake import WEIGHT_SCALE
from models.candidate_bundle import CandidateBundle
from models.candidates import Candidates
from models.user_state import Request

DAY_SECONDS = 86_400.0
Columns = Mapping[str, NDArray[np.float64] | NDArray[np.float32] | NDArray[np.floating] | float]


def feature_matrix(bundle: CandidateBundle, request: Request, candidates: Candidates) -> NDArray[np.float32]:
    """Build the matrix float32 [candidates, len(FEATURE_ORDER)]; what is not known is NaN."""
    item = dict(zip(ITEM_STATS, bundle.item_stats[candidates.rows].T, strict=True))
    user = dict(zip(USER_STATS, map(float, request.user_stats), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        columns: Columns = {
            **_candidate_columns(candidates),
            **_own_columns(request, candidates),
            **_category_columns(bundle, request, candidates),
            **_match_columns(bundle, item, user, candidates),
            **_item_columns(item, request.as_of_at),
            **_user_columns(user, request.as_of_at),
            **_context_columns(request.as_of_at),
        }
    matrix = np.empty((len(candidates.rows), len(FEATURE_ORDER)), np.float32)
    for place, name in enumerate(FEATURE_ORDER):
        matrix[:, place] = columns[name]
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix


def _candidate_columns(candidates: Candidates) -> Columns:
    return {
        "als_score": candidates.als_score,
        "als_rank": candidates.als_rank,
        "cooccurrence_score": candidates.cooccurrence_score,
        "cooccurrence_rank": candidates.cooccurrence_rank,
        "cooccurrence_last_score": candidates.cooccurrence_last_score,
        "own_rank": candidates.own_rank,
        "popular_rank": candidates.popular_rank,
        "source_count": candidates.source_count,
    }


def _own_columns(request: Request, candidates: Candidates) -> Columns:
    own, place = request.own, candidates.own_place
    mine = place >= 0

    def pick(values: NDArray[np.int32] | NDArray[np.int64]) -> NDArray[np.float64]:
        picked = np.full(len(place), np.nan)
        picked[mine] = values[place[mine]]
        return picked

    count, first, last = pick(own.event_count), pick(own.first_at), pick(own.last_at)
    idle = (request.as_of_at - last) / DAY_SECONDS
    gap = np.where(count > 1, (last - first) / DAY_SECONDS / (count - 1), np.nan)
    return {
        "own_count": np.nan_to_num(count),
        "own_purchase_count": np.nan_to_num(pick(own.purchase_count)),
        "own_count_30d": np.nan_to_num(pick(own.count_30d)),
        "own_share": np.nan_to_num(count) / max(int(own.event_count.sum()), 1),
        "own_idle_days": idle,
        "own_age_days": (request.as_of_at - first) / DAY_SECONDS,
        "own_gap_days": gap,
        "own_due_ratio": idle / np.where(gap > 0, gap, np.nan),
        "own_value_mean": pick(own.value_scaled) / WEIGHT_SCALE / count,
    }


def _category_columns(bundle: CandidateBundle, request: Request, candidates: Candidates) -> Columns:
    own_rows = bundle.items.rows(request.own.item_ids)
    own_codes = np.where(own_rows >= 0, bundle.category_codes[own_rows], -1) if len(bundle.items) else own_rows
    known = own_codes >= 0
    size = len(bundle.categories) + 1  # the last place answers for "no category"
    counts = np.bincount(own_codes[known], weights=request.own.event_count[known], minlength=size)
    items = np.bincount(own_codes[known], minlength=size).astype(np.float64)
    last = np.full(size, np.nan)
    np.fmax.at(last, own_codes[known], request.own.last_at[known].astype(np.float64))
    rank = np.full(size, np.nan)
    touched = np.flatnonzero(counts)
    rank[touched[np.lexsort((touched, -counts[touched]))]] = np.arange(1, len(touched) + 1)
    codes = bundle.category_codes[candidates.rows]
    return {
        "category_count": counts[codes],
        "category_share": counts[codes] / max(int(request.own.event_count.sum()), 1),
        "category_item_count": items[codes],
        "category_idle_days": (request.as_of_at - last[codes]) / DAY_SECONDS,
        "category_rank": rank[codes],
    }


def _match_columns(
    bundle: CandidateBundle, item: dict[str, NDArray[np.float64]], user: dict[str, float], candidates: Candidates
) -> Columns:
    of_item = np.stack([item[f"item_{part}_share"] for part in DAYPARTS])
    of_user = np.array([user[f"user_{part}_share"] for part in DAYPARTS])
    category_price = bundle.category_prices[bundle.category_codes[candidates.rows]]
    return {
        "price_ratio_to_user": item["item_price"] / user["user_price_mean"] if user["user_price_mean"] else np.nan,
        "price_ratio_to_category": item["item_price"] / category_price,
        "daypart_match": of_item[0] * of_user[0]
        + of_item[1] * of_user[1]
        + of_item[2] * of_user[2]
        + of_item[3] * of_user[3],
        "weekend_match": 1.0 - np.abs(item["item_weekend_share"] - user["user_weekend_share"]),
    }


def _item_columns(item: dict[str, NDArray[np.float64]], as_of_at: int) -> Columns:
    derived = {
        "item_age_days": (as_of_at - item["item_first_at"]) / DAY_SECONDS,
        "item_idle_days": (as_of_at - item["item_last_at"]) / DAY_SECONDS,
        "item_trend_24h": 7 * item["item_count_24h"] / item["item_count_7d"],
        "item_trend_7d": 30 / 7 * item["item_count_7d"] / item["item_count_30d"],
        "item_events_per_user": item["item_count_window"] / item["item_user_count"],
    }
    return item | derived


def _user_columns(user: dict[str, float], as_of_at: int) -> Columns:
    days = user["user_active_days"]
    span = (user["user_last_at"] - user["user_first_at"]) / DAY_SECONDS
    derived = {
        "user_recency_days": (as_of_at - user["user_last_at"]) / DAY_SECONDS,
        "user_tenure_days": (as_of_at - user["user_first_at"]) / DAY_SECONDS,
        "user_gap_days": span / (days - 1) if days > 1 else np.nan,
    }
    return user | derived


def _context_columns(as_of_at: int) -> Columns:
    moment = datetime.fromtimestamp(as_of_at, UTC)
    return {"hour_of_day": float(moment.hour), "weekday": float(moment.weekday())}

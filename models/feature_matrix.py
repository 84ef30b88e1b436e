"""The one definition of each feature: request, candidates and item statistics in, float32 matrix out.

Batch, training and request all come through here. docs/features.md says each definition in words.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from contracts.features import (
    CONTEXT_FEATURES,
    DAYPARTS,
    FEATURE_ORDER,
    ITEM_FEATURES,
    ITEM_STATS,
    SESSION_FEATURES,
    USER_FEATURES,
    USER_STATS,
)
from contracts.lake import WEIGHT_SCALE
from models.candidate_bundle import CandidateBundle
from models.candidates import Candidates
from models.item_features import ITEM_COLUMNS, PRICE_RATIO
from models.session_columns import pair_columns, session_values
from models.session_stage import NextItems
from models.user_state import Request

DAY_SECONDS = 86_400.0
Values = NDArray[np.float64] | NDArray[np.float32] | float
Columns = Mapping[str, Values]
NOTHING_EXPECTED = NextItems()

_PLACES = {name: place for place, name in enumerate(FEATURE_ORDER)}
_OF_ITEM = slice(_PLACES[ITEM_FEATURES[0]], _PLACES[ITEM_FEATURES[-1]] + 1)
_OF_REQUEST = slice(_PLACES[USER_FEATURES[0]], _PLACES[CONTEXT_FEATURES[-1]] + 1)
_STAT = {name: place for place, name in enumerate(ITEM_STATS)}


def feature_matrix(
    bundle: CandidateBundle, request: Request, candidates: Candidates, coming: NextItems = NOTHING_EXPECTED
) -> NDArray[np.float32]:
    """Build the matrix float32 [candidates, len(FEATURE_ORDER)]; what is not known is NaN.

    `coming` is what the session model expects next.
    """
    user = dict(zip(USER_STATS, map(float, request.user_stats), strict=True))
    of_items = bundle.item_features[candidates.rows]
    matrix = np.empty((len(candidates.rows), len(FEATURE_ORDER)), np.float32)
    matrix[:, _OF_ITEM] = of_items[:, : len(ITEM_FEATURES)]
    matrix[:, _OF_REQUEST] = _request_row(user | session_values(bundle, request), request.as_of_at)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        columns: Columns = {
            **_candidate_columns(candidates),
            **_own_columns(request, candidates),
            **_category_columns(bundle, request, candidates),
            **_match_columns(bundle, user, candidates),
            **_age_columns(bundle, request, candidates),
            **pair_columns(bundle, request, candidates.rows, coming),
            PRICE_RATIO: of_items[:, ITEM_COLUMNS.index(PRICE_RATIO)],
        }
        for name, values in columns.items():
            matrix[:, _PLACES[name]] = values
    matrix[np.isinf(matrix)] = np.nan
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
    mine = np.flatnonzero(place >= 0)
    which = place[mine]

    def pick(values: NDArray[np.int32] | NDArray[np.int64], otherwise: float = np.nan) -> NDArray[np.float64]:
        picked = np.full(len(place), otherwise)
        picked[mine] = values[which]
        return picked

    count, first, last = pick(own.event_count), pick(own.first_at), pick(own.last_at)
    counted = pick(own.event_count, 0)
    idle = (request.as_of_at - last) / DAY_SECONDS
    gap = np.where(count > 1, (last - first) / DAY_SECONDS / (count - 1), np.nan)
    return {
        "own_count": counted,
        "own_purchase_count": pick(own.purchase_count, 0),
        "own_count_30d": pick(own.count_30d, 0),
        "own_share": counted / max(int(own.event_count.sum()), 1),
        "own_idle_days": idle,
        "own_age_days": (request.as_of_at - first) / DAY_SECONDS,
        "own_gap_days": gap,
        "own_due_ratio": idle / np.where(gap > 0, gap, np.nan),
        "own_value_mean": pick(own.value_scaled) / WEIGHT_SCALE / count,
    }


def _category_columns(bundle: CandidateBundle, request: Request, candidates: Candidates) -> Columns:
    own_rows = candidates.own_rows
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


def _match_columns(bundle: CandidateBundle, user: dict[str, float], candidates: Candidates) -> Columns:
    stats = bundle.item_stats[candidates.rows]
    parts = (stats[:, _STAT[f"item_{part}_share"]] * user[f"user_{part}_share"] for part in DAYPARTS)
    price = user["user_price_mean"]
    return {
        "price_ratio_to_user": stats[:, _STAT["item_price"]] / price if price else np.nan,
        "daypart_match": sum(parts),  # in the order of DAYPARTS: sums of doubles depend on it
        "weekend_match": 1.0 - np.abs(stats[:, _STAT["item_weekend_share"]] - user["user_weekend_share"]),
    }


def _age_columns(bundle: CandidateBundle, request: Request, candidates: Candidates) -> Columns:
    first, last = (bundle.item_stats[candidates.rows, _STAT[name]] for name in ("item_first_at", "item_last_at"))
    return {
        "item_age_days": (request.as_of_at - first) / DAY_SECONDS,
        "item_idle_days": (request.as_of_at - last) / DAY_SECONDS,
    }


def _request_row(user: dict[str, float], as_of_at: int) -> NDArray[np.float32]:
    """What is the same for all candidates of a request: the features of the user, their session and the moment."""
    moment = datetime.fromtimestamp(as_of_at, UTC)
    days = user["user_active_days"]
    span = (user["user_last_at"] - user["user_first_at"]) / DAY_SECONDS
    known = user | {
        "user_recency_days": (as_of_at - user["user_last_at"]) / DAY_SECONDS,
        "user_tenure_days": (as_of_at - user["user_first_at"]) / DAY_SECONDS,
        "user_gap_days": span / (days - 1) if days > 1 else np.nan,
        "hour_of_day": float(moment.hour),
        "weekday": float(moment.weekday()),
    }
    row = np.array([known[name] for name in (*USER_FEATURES, *SESSION_FEATURES, *CONTEXT_FEATURES)], np.float64)
    with np.errstate(over="ignore"):
        return row.astype(np.float32)

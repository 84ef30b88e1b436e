"""Features that a live session gives: of each candidate beside the session's items, and of the session itself.

Without a session all of them are NaN but `session_length`, which is 0. docs/features.md says each in words.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from contracts.features import ITEM_STATS, OTHER_STRENGTH, SESSION_FEATURES, SESSION_PAIR_FEATURES, SESSION_STRENGTHS
from models.candidate_bundle import CandidateBundle
from models.session_stage import NextItems, wanted_items
from models.user_state import Request

Values = NDArray[np.float64] | NDArray[np.float32] | float
TASTE_ITEMS = 10  # last items of a session that its taste is made of
_PRICE = ITEM_STATS.index("item_price")
_NO_PAIRS: Mapping[str, Values] = dict.fromkeys(SESSION_PAIR_FEATURES, np.nan)
_NO_SESSION: dict[str, float] = dict.fromkeys(SESSION_FEATURES, np.nan) | {"session_length": 0.0}


def session_values(bundle: CandidateBundle, request: Request) -> dict[str, float]:
    """What is the same for all candidates, in seconds and counts."""
    session = request.session
    if not session.item_ids:
        return _NO_SESSION
    strengths = [SESSION_STRENGTHS.get(kind, OTHER_STRENGTH) for kind in session.event_types]
    rows = bundle.items.rows(wanted_items(session))
    codes = bundle.category_codes[rows[rows >= 0]]
    return {
        "session_length": float(len(session.item_ids)),
        "session_item_count": float(len(set(session.item_ids) - {""})),
        "session_category_total": float(len(np.unique(codes[codes >= 0]))),
        "session_seconds": float(request.as_of_at - int(session.at_seconds[0])),
        "session_idle_seconds": float(request.as_of_at - int(session.at_seconds[-1])),
        "session_last_strength": float(strengths[-1]),
        "session_best_strength": float(max(strengths)),
    }


def pair_columns(
    bundle: CandidateBundle, request: Request, candidate_rows: NDArray[np.int32], coming: NextItems
) -> Mapping[str, Values]:
    """One value a candidate, whose rows ascend."""
    rows = bundle.items.rows(wanted_items(request.session))
    if not len(rows) or not len(candidate_rows):
        return _NO_PAIRS
    counts, ago = _last_and_count(rows, candidate_rows)
    known = rows[rows >= 0]
    return {
        **_expected(coming, candidate_rows),
        "session_count": counts,
        "session_events_ago": ago,
        **_category_columns(bundle, rows, candidate_rows),
        **_taste_columns(bundle, known[-TASTE_ITEMS:], candidate_rows),
        "price_ratio_to_session": bundle.item_stats[candidate_rows, _PRICE] / _mean(bundle.item_stats[known, _PRICE]),
    }


def _expected(coming: NextItems, candidate_rows: NDArray[np.int32]) -> Mapping[str, Values]:
    scores, ranks = (np.full(len(candidate_rows), np.nan, np.float32) for _ in range(2))
    at, found = _places(coming.rows, candidate_rows)
    scores[at[found]] = coming.scores[found]
    ranks[at[found]] = np.flatnonzero(found) + 1
    return {"session_score": scores, "session_rank": ranks}


def _last_and_count(
    rows: NDArray[np.int32], candidate_rows: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Events of the session with each candidate, and how many events ago the last was, from 1."""
    at, found = _places(rows, candidate_rows)
    counts = np.bincount(at[found], minlength=len(candidate_rows)).astype(np.float64)
    ago = np.full(len(candidate_rows), np.nan)
    ago[at[found]] = len(rows) - np.flatnonzero(found)  # of several events the last one stays
    return counts, ago


def _category_columns(
    bundle: CandidateBundle, rows: NDArray[np.int32], candidate_rows: NDArray[np.int32]
) -> Mapping[str, Values]:
    size = len(bundle.categories) + 1  # the last place answers for "no category"
    codes = np.where(rows >= 0, bundle.category_codes[rows], -1)
    known = codes >= 0
    counts = np.bincount(codes[known], minlength=size).astype(np.float64)
    ago = np.full(size, np.nan)
    ago[codes[known]] = len(rows) - np.flatnonzero(known)
    wanted = bundle.category_codes[candidate_rows]
    return {
        "session_category_count": counts[wanted],
        "session_category_share": counts[wanted] / len(rows),
        "session_category_ago": ago[wanted],
    }


def _taste_columns(
    bundle: CandidateBundle, known: NDArray[np.int32], candidate_rows: NDArray[np.int32]
) -> Mapping[str, Values]:
    """Cosines of each candidate's vector with the session's mean direction, and with its last item's."""
    if not len(known):
        return {"session_similarity": np.nan, "session_last_similarity": np.nan}
    own, theirs = (_directions(bundle.retrieval.vectors[rows]) for rows in (known, candidate_rows))
    return {
        "session_similarity": np.einsum("ij,j->i", theirs, own.mean(axis=0)),
        "session_last_similarity": np.einsum("ij,j->i", theirs, own[-1]),
    }


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors of length 1; those without a direction stay zero."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1)[:, None], np.float32)


def _places(rows: NDArray[np.int32], ascending: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each row stands among ascending ones, and whether it does."""
    at = np.minimum(np.searchsorted(ascending, rows), len(ascending) - 1)
    return at, ascending[at] == rows


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan

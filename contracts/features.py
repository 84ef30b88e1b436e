"""The order of features, and the statistics that they are computed from.

Statistics are what Spark stores, point in time, as of an interval's end: instants stay instants
(epoch seconds), so that an age is computed once, by `models.feature_matrix`, as of the request.
"""

from contracts.lake import CATEGORY, ITEM_ID, USER_ID, Table, define_table

DAYPARTS = ("night", "morning", "afternoon", "evening")  # hours 0-5, 6-11, 12-17, 18-23 UTC

ITEM_STATS = (
    "item_count_1h", "item_count_24h", "item_count_7d", "item_count_30d", "item_count_window",
    "item_user_count", "item_user_count_30d", "item_purchase_share", "item_repeat_share",
    "item_price", "item_first_at", "item_last_at", "item_category_count_7d", "item_category_share",
    "item_night_share", "item_morning_share", "item_afternoon_share", "item_evening_share", "item_weekend_share",
)  # fmt: skip
USER_STATS = (
    "user_event_count", "user_count_7d", "user_count_30d", "user_item_count", "user_purchase_share",
    "user_repeat_share", "user_first_at", "user_last_at", "user_active_days", "user_session_size",
    "user_price_mean", "user_value_30d", "user_category_count", "user_top_category_share",
    "user_night_share", "user_morning_share", "user_afternoon_share", "user_evening_share", "user_weekend_share",
)  # fmt: skip

CANDIDATE_FEATURES = (
    "als_score", "als_rank", "cooccurrence_score", "cooccurrence_rank", "cooccurrence_last_score",
    "own_rank", "popular_rank", "source_count",
)  # fmt: skip
PAIR_FEATURES = (
    "own_count", "own_purchase_count", "own_count_30d", "own_share", "own_idle_days", "own_age_days",
    "own_gap_days", "own_due_ratio", "own_value_mean",
    "category_count", "category_share", "category_item_count", "category_idle_days", "category_rank",
    "price_ratio_to_user", "price_ratio_to_category", "daypart_match", "weekend_match",
)  # fmt: skip
SESSION_PAIR_FEATURES = (
    "session_score", "session_rank", "session_count", "session_events_ago",
    "session_category_count", "session_category_share", "session_category_ago",
    "session_similarity", "session_last_similarity", "price_ratio_to_session",
)  # fmt: skip
ITEM_FEATURES = (
    "item_count_1h", "item_count_24h", "item_count_7d", "item_count_30d", "item_count_window",
    "item_user_count", "item_user_count_30d", "item_purchase_share", "item_repeat_share", "item_price",
    "item_age_days", "item_idle_days", "item_trend_24h", "item_trend_7d", "item_events_per_user",
    "item_category_count_7d", "item_category_share",
    "item_night_share", "item_morning_share", "item_afternoon_share", "item_evening_share", "item_weekend_share",
)  # fmt: skip
USER_FEATURES = (
    "user_event_count", "user_count_7d", "user_count_30d", "user_item_count", "user_purchase_share",
    "user_repeat_share", "user_recency_days", "user_tenure_days", "user_active_days", "user_gap_days",
    "user_session_size", "user_price_mean", "user_value_30d", "user_category_count", "user_top_category_share",
    "user_night_share", "user_morning_share", "user_afternoon_share", "user_evening_share", "user_weekend_share",
)  # fmt: skip
SESSION_FEATURES = (
    "session_length", "session_item_count", "session_category_total", "session_seconds", "session_idle_seconds",
    "session_last_strength", "session_best_strength",
)  # fmt: skip
CONTEXT_FEATURES = ("hour_of_day", "weekday")

FEATURE_ORDER = (
    CANDIDATE_FEATURES
    + PAIR_FEATURES
    + SESSION_PAIR_FEATURES
    + ITEM_FEATURES
    + USER_FEATURES
    + SESSION_FEATURES
    + CONTEXT_FEATURES
)
# How much an event of a session says, by type; a type that is not named is 1.
SESSION_STRENGTHS = {"hover": 0, "search": 1, "view": 2, "click": 3, "rating": 4, "add_to_cart": 5, "purchase": 6}
OTHER_STRENGTH = 1
DISLIKES = frozenset({"remove_from_cart", "not_interested"})  # no sign that an item is wanted
# What an attribution keeps of the moment, as of the hour of the version that was shown; NaN where it is not known.
ATTRIBUTION_FEATURES = ITEM_STATS + USER_STATS

ITEM_STATS_TABLE: Table = define_table(
    "item_stats", f"{ITEM_ID} string; {CATEGORY} string; " + "; ".join(f"{name} double" for name in ITEM_STATS)
)
USER_STATS_TABLE: Table = define_table(
    "user_stats", f"{USER_ID} string; " + "; ".join(f"{name} double" for name in USER_STATS)
)

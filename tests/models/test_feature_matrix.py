"""Each feature means what docs/features.md says: values worked out by hand, ages as of the request, NaN for unknown."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.features import (
    CANDIDATE_FEATURES,
    CONTEXT_FEATURES,
    FEATURE_ORDER,
    ITEM_FEATURES,
    ITEM_STATS,
    PAIR_FEATURES,
    SESSION_FEATURES,
    SESSION_PAIR_FEATURES,
    USER_FEATURES,
    USER_STATS,
)
from contracts.lake import WEIGHT_SCALE
from models.candidate_bundle import CandidateBundle
from models.candidates import gather
from models.feature_matrix import feature_matrix
from models.id_map import IdMap
from models.user_state import OwnItems, Request
from tests.models.small_world import AS_OF, DAY, draw_requests

PAGE = Path(__file__).parents[2] / "docs" / "features.md"
ITEM = dict.fromkeys(ITEM_STATS, 0.0) | {
    "item_count_24h": 2, "item_count_7d": 7, "item_count_30d": 15, "item_count_window": 40, "item_user_count": 16,
    "item_price": 3, "item_first_at": AS_OF - 50 * DAY, "item_last_at": AS_OF - 2 * DAY,
    "item_night_share": 0.5, "item_evening_share": 0.5, "item_weekend_share": 0.25,
}  # fmt: skip
USER = dict.fromkeys(USER_STATS, 0.0) | {
    "user_first_at": AS_OF - 31 * DAY, "user_last_at": AS_OF - DAY, "user_active_days": 4, "user_price_mean": 6,
    "user_night_share": 0.2, "user_evening_share": 0.8, "user_weekend_share": 1,
}  # fmt: skip
OWN = OwnItems(
    item_ids=("flour", "gone", "milk"),
    weight_scaled=np.array([3, 2, 1]) * WEIGHT_SCALE,
    event_count=np.array([4, 5, 1], np.int32),
    purchase_count=np.array([2, 5, 1], np.int32),
    count_30d=np.array([1, 0, 0], np.int32),
    first_at=AS_OF - np.array([16, 30, 40]) * DAY,
    last_at=AS_OF - np.array([4, 20, 40]) * DAY,
    value_scaled=np.array([10, 0, 3]) * WEIGHT_SCALE,
)


@pytest.fixture(scope="module")
def shop() -> CandidateBundle:
    """Flour and sugar are for baking, milk is cool, and soap is of no category and without statistics."""
    names = IdMap(("flour", "milk", "soap", "sugar"))
    stats = np.array([[values[name] for name in ITEM_STATS] for values in (ITEM, ITEM, ITEM, ITEM | {"item_price": 9})])
    stats[2] = np.nan
    return CandidateBundle(
        items=names,
        item_factors=np.eye(4, dtype=np.float32),
        neighbour_rows=np.array([[3], [-1], [-1], [0]], np.int32),
        neighbour_scores=np.array([[0.5], [0], [0], [0.5]], np.float32),
        item_stats=stats,
        category_codes=np.array([0, 1, -1, 0], np.int32),
        popular_rows=np.array([2, 1], np.int32),
        categories=("baking", "cool"),
        interval_key="2026-01-31T07",
        engine="implicit",
        regularization=0.05,
    )


def features_of(shop: CandidateBundle, item: str, *, at: int = AS_OF) -> dict[str, float]:
    request = Request("u", at, OWN, np.array([USER[name] for name in USER_STATS]))
    found = gather(shop, request, 4)
    (place,) = np.flatnonzero(found.rows == shop.items.rows([item])[0])
    row = feature_matrix(shop, request, found)[place]
    return dict(zip(FEATURE_ORDER, map(float, row), strict=True))


def expect(found: dict[str, float], **wanted: float) -> None:
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-6, nan_ok=True)


def test_the_page_names_every_feature_in_the_order_of_the_tuple() -> None:
    assert tuple(re.findall(r"^\| `(\w+)` \| .+ \|$", PAGE.read_text(), re.M)) == FEATURE_ORDER


def test_every_feature_has_one_place() -> None:
    of_candidates = (CANDIDATE_FEATURES, PAIR_FEATURES, SESSION_PAIR_FEATURES, ITEM_FEATURES)
    groups = (*of_candidates, USER_FEATURES, SESSION_FEATURES, CONTEXT_FEATURES)
    assert tuple(name for group in groups for name in group) == FEATURE_ORDER
    assert len(set(FEATURE_ORDER)) == len(FEATURE_ORDER)


def test_an_own_item_carries_its_history(shop: CandidateBundle) -> None:
    found = features_of(shop, "flour")
    expect(found, own_count=4, own_purchase_count=2, own_count_30d=1, own_share=0.4, own_value_mean=2.5)
    expect(found, own_idle_days=4, own_age_days=16, own_gap_days=4, own_due_ratio=1, own_rank=1)


def test_a_single_event_has_no_gap_and_what_is_not_owned_no_age(shop: CandidateBundle) -> None:
    expect(features_of(shop, "milk"), own_count=1, own_gap_days=np.nan, own_due_ratio=np.nan, own_idle_days=40)
    expect(features_of(shop, "sugar"), own_count=0, own_share=0, own_idle_days=np.nan, own_value_mean=np.nan)


def test_the_category_sums_the_users_items_in_it(shop: CandidateBundle) -> None:
    found = features_of(shop, "sugar")
    expect(found, category_count=4, category_share=0.4, category_item_count=1, category_idle_days=4, category_rank=1)
    expect(features_of(shop, "milk"), category_count=1, category_rank=2, category_idle_days=40)
    nothing = features_of(shop, "soap")
    expect(nothing, category_count=0, category_item_count=0, category_rank=np.nan, category_idle_days=np.nan)


def test_prices_and_hours_are_matched(shop: CandidateBundle) -> None:
    found = features_of(shop, "sugar")
    expect(found, price_ratio_to_user=1.5, price_ratio_to_category=1.5, daypart_match=0.5, weekend_match=0.25)
    expect(features_of(shop, "soap"), price_ratio_to_user=np.nan, price_ratio_to_category=np.nan, item_price=np.nan)


def test_item_trends_and_ages(shop: CandidateBundle) -> None:
    found = features_of(shop, "milk")
    expect(found, item_trend_24h=2, item_trend_7d=2, item_events_per_user=2.5, item_age_days=50, item_idle_days=2)


def test_the_user_and_the_moment(shop: CandidateBundle) -> None:
    found = features_of(shop, "milk")  # 2023-11-14 22:13:20 was a Tuesday
    expect(found, user_recency_days=1, user_tenure_days=31, user_gap_days=10, hour_of_day=22, weekday=1)


def test_cooccurrence_and_popularity_of_a_candidate(shop: CandidateBundle) -> None:
    found = features_of(shop, "sugar")
    expect(found, cooccurrence_score=0.5 * np.log(5), cooccurrence_last_score=0.5, cooccurrence_rank=1)
    expect(found, popular_rank=np.nan, own_rank=np.nan)


def test_a_day_later_everything_is_a_day_older_and_nothing_else_changes(shop: CandidateBundle) -> None:
    now, later = features_of(shop, "flour"), features_of(shop, "flour", at=AS_OF + DAY)
    ages = {name for name in FEATURE_ORDER if name.endswith(("idle_days", "age_days", "recency_days", "tenure_days"))}
    for name in set(FEATURE_ORDER) - {"own_due_ratio", "weekday"}:
        assert later[name] == pytest.approx(now[name] + (name in ages), rel=1e-6, nan_ok=True), name


def test_nothing_is_infinite_for_anybody(bundle: CandidateBundle) -> None:
    for request in draw_requests(bundle, 50):
        zeros = replace(request, user_stats=np.zeros(len(USER_STATS)))
        for one in (request, zeros):
            matrix = feature_matrix(bundle, one, gather(bundle, one, 40))
            assert matrix.dtype == np.float32
            assert not np.isinf(matrix).any()


def test_an_unknown_user_has_unknown_features_and_no_candidates_no_rows(shop: CandidateBundle) -> None:
    request = Request("stranger", AS_OF)
    matrix = feature_matrix(shop, request, gather(shop, request, 4))
    places = [FEATURE_ORDER.index(name) for name in USER_FEATURES]
    assert np.isnan(matrix[:, places]).all()
    nobody = replace(request, allowed=frozenset())
    assert feature_matrix(shop, nobody, gather(shop, nobody, 4)).shape == (0, len(FEATURE_ORDER))

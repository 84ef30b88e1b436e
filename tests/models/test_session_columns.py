"""What a live session adds to features means what docs/features.md says; without a session nothing is known of one."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.features import FEATURE_ORDER, ITEM_STATS, SESSION_FEATURES, SESSION_PAIR_FEATURES
from models.candidate_bundle import CandidateBundle
from models.candidates import gather
from models.feature_matrix import feature_matrix
from models.session_stage import NextItems
from models.user_state import LiveSession, Request
from tests.models.small_world import AS_OF

PRICE = ITEM_STATS.index("item_price")
SESSION = LiveSession(
    item_ids=("i0000", "i0006", "gone", "i0001", "i0000"),
    event_types=("click", "hover", "purchase", "click", "wave"),
    at_seconds=AS_OF - np.array([600, 500, 400, 200, 30]),
    values=np.full(5, np.nan),
)
NOTHING = NextItems()


@pytest.fixture(scope="module")
def shop(bundle: CandidateBundle) -> CandidateBundle:
    """Item i is of category i modulo 5; vectors of even items lie across those of odd ones."""
    stats = bundle.item_stats.copy()
    stats[:, PRICE] = 1.0
    stats[[0, 6, 1], PRICE] = [2, np.nan, 5]
    vectors = np.zeros((300, 8), np.float32)
    vectors[np.arange(300), np.arange(300) % 2] = 3
    codes = np.arange(300, dtype=np.int32) % 5
    return replace(bundle, item_stats=stats, item_factors=vectors, category_codes=codes)


def columns_of(shop: CandidateBundle, session: LiveSession, coming: NextItems = NOTHING) -> dict[str, np.ndarray]:
    request = Request("u", AS_OF, session=session, allowed=frozenset(shop.items.external_ids))
    matrix = feature_matrix(shop, request, gather(shop, request, 300), coming)
    return dict(zip(FEATURE_ORDER, matrix.T, strict=True))


def test_without_a_session_nothing_is_known_of_one(shop: CandidateBundle) -> None:
    found = columns_of(shop, LiveSession())
    assert np.all(found.pop("session_length") == 0)
    for name in {*SESSION_PAIR_FEATURES, *SESSION_FEATURES} - {"session_length"}:
        assert np.isnan(found[name]).all(), name


def test_a_session_is_counted_by_item_category_and_strength(shop: CandidateBundle) -> None:
    found = columns_of(shop, SESSION)
    of_request = {name: found[name][0] for name in SESSION_FEATURES}
    assert of_request == {
        "session_length": 5, "session_item_count": 4, "session_category_total": 2, "session_seconds": 600,
        "session_idle_seconds": 30, "session_last_strength": 1, "session_best_strength": 6,
    }  # fmt: skip
    assert found["session_count"][[0, 1, 2, 6]].tolist() == [2, 1, 0, 1]
    assert found["session_events_ago"][[0, 1, 6]].tolist() == [1, 2, 4]
    assert np.isnan(found["session_events_ago"][2])
    assert found["session_category_count"][[5, 11, 12]].tolist() == [2, 2, 0]
    assert found["session_category_share"][[5, 11, 12]].tolist() == pytest.approx([0.4, 0.4, 0])
    assert found["session_category_ago"][[5, 11]].tolist() == [1, 2]


def test_likeness_and_price_are_held_against_the_known_items(shop: CandidateBundle) -> None:
    found = columns_of(shop, SESSION)
    assert found["session_last_similarity"][[2, 3]].tolist() == [1, 0]
    assert found["session_similarity"][[2, 3]].tolist() == pytest.approx([0.75, 0.25])
    assert found["price_ratio_to_session"][[0, 1, 2]].tolist() == pytest.approx([2 / 3, 5 / 3, 1 / 3])


def test_what_was_put_back_is_no_sign_of_interest(shop: CandidateBundle) -> None:
    kinds = ("remove_from_cart", "hover", "purchase", "click", "not_interested")
    found = columns_of(shop, replace(SESSION, event_types=kinds))
    assert found["session_count"][[0, 1]].tolist() == [0, 1]
    assert found["session_length"][0] == 5


def test_what_the_session_model_expects_has_its_score_and_place(shop: CandidateBundle) -> None:
    coming = NextItems(np.array([7, 3], np.int32), np.array([0.5, -1], np.float32))
    found = columns_of(shop, SESSION, coming)
    assert found["session_score"][[7, 3]].tolist() == [0.5, -1]
    assert found["session_rank"][[7, 3]].tolist() == [1, 2]
    assert np.isfinite(found["session_rank"]).sum() == 2


def test_a_session_of_unknown_items_is_a_session_all_the_same(shop: CandidateBundle) -> None:
    unknown = replace(SESSION, item_ids=("gone",) * 5)
    found = columns_of(shop, unknown)
    assert found["session_length"][0] == 5
    assert not found["session_count"].any()
    assert np.isnan(found["session_similarity"]).all()

"""The first stage fills its count from several sources, whatever is excluded, unknown or missing."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.errors import BadInput
from contracts.lake import WEIGHT_SCALE
from models.candidate_bundle import CandidateBundle
from models.candidates import Quotas, gather
from models.id_map import IdMap
from models.user_state import OwnItems, Request
from tests.models.small_world import AS_OF, bundle_of, draw_requests, gathered, make_bundle, names_of, own_items


def test_every_request_gets_the_full_count_in_ascending_rows(bundle: CandidateBundle) -> None:
    for request in draw_requests(bundle, 100):
        allowed = bundle.items.external_ids if request.allowed is None else request.allowed
        may = set(allowed) & set(bundle.items.external_ids) - request.excluded
        found = gather(bundle, request, 60)
        assert len(found.rows) == min(60, len(may))
        assert np.all(np.diff(found.rows) > 0)
        assert names_of(bundle, found) <= may


def test_excluded_items_leave_no_gap(bundle: CandidateBundle) -> None:
    own = own_items(["i0010", "i0015", "i0020"])
    first = gathered(bundle, Request("u", AS_OF, own), 60)
    second = gathered(bundle, Request("u", AS_OF, own, excluded=frozenset(first)), 60)
    assert len(second) == 60
    assert not first & second


def test_everything_excluded_gives_nothing(bundle: CandidateBundle) -> None:
    everything = frozenset(bundle.items.external_ids)
    found = gather(bundle, Request("u", AS_OF, own_items(["i0001"]), excluded=everything), 60)
    assert len(found.rows) == len(found.als_score) == len(found.own_place) == 0


def test_a_stranger_gets_what_is_popular(bundle: CandidateBundle) -> None:
    found = gather(bundle, Request("stranger", AS_OF), 25)
    assert set(found.rows) == set(bundle.popular_rows[:25])
    assert sorted(found.popular_rank) == list(range(1, 26))
    assert np.isnan(found.als_rank).all()
    assert not found.als_score.any()


def test_a_history_of_unknown_items_is_no_history(bundle: CandidateBundle) -> None:
    unknown = gather(bundle, Request("u", AS_OF, own_items(["gone-1", "gone-2"])), 30)
    nothing = gather(bundle, Request("u", AS_OF), 30)
    assert np.array_equal(unknown.rows, nothing.rows)


def test_quotas_hold_when_sources_have_plenty(bundle: CandidateBundle) -> None:
    own = own_items([f"i{number:04d}" for number in range(200)])
    found = gather(bundle, Request("u", AS_OF, own), 100)
    assert np.isfinite(found.own_rank).sum() == 40
    assert np.isfinite(found.cooccurrence_rank).sum() == 25
    assert np.isfinite(found.popular_rank).sum() == 15
    assert len(found.rows) == 100


def test_items_of_which_nothing_is_known_still_fill_a_list(bundle: CandidateBundle) -> None:
    factors, codes = bundle.item_factors.copy(), bundle.category_codes.copy()
    factors[20:], codes[20:] = 0, -1
    bare = replace(bundle, item_factors=factors, category_codes=codes)
    found = gather(bare, Request("u", AS_OF, own_items(["i0003"])), 100)
    assert len(found.rows) == 100
    assert np.isnan(found.als_rank[found.rows >= 20]).all()


def test_new_items_of_a_liked_category_have_a_share_of_their_own(bundle: CandidateBundle) -> None:
    factors, tastes = np.zeros((300, 8), np.float32), np.arange(300) % 5
    factors[np.arange(200), tastes[:200]] = 1
    new = replace(bundle, item_factors=factors, category_codes=tastes.astype(np.int32))
    found = gather(new, Request("u", AS_OF, own_items(["i0003", "i0008"])), 60, Quotas(0, 0, 0, new=0.2))
    fresh = found.rows[found.rows >= 200]
    assert len(fresh) == 12
    assert np.all(fresh % 5 == 3)
    assert found.als_score[found.rows >= 200].min() > 0
    assert np.isnan(found.als_rank[found.rows >= 200]).all()


def test_rows_from_elsewhere_come_in_whole_unless_they_are_closed(bundle: CandidateBundle) -> None:
    session = np.array([250, 260, 270], np.int32)
    request = Request("u", AS_OF, own_items(["i0003"]), excluded=frozenset({"i0260"}))
    found = gather(bundle, request, 20, more=(session,))
    assert {250, 270} <= set(found.rows)
    assert 260 not in found.rows
    assert len(found.rows) == 20


def test_ties_at_the_cut_keep_the_lowest_rows() -> None:
    ids = IdMap.of(f"i{number:03d}" for number in range(200))
    flat = bundle_of(ids, np.ones((200, 2), np.float32), neighbours=0, random=np.random.default_rng(1))
    found = gather(flat, Request("u", AS_OF, own_items(["i150"])), 120, Quotas(0, 0, 0, 0))
    assert found.rows.tolist() == list(range(120))
    assert found.als_rank.tolist() == list(range(1, 121))


@pytest.mark.parametrize("count", [1, 3, 4, 500])
def test_four_items_are_never_repeated(count: int) -> None:
    shop = make_bundle(4)
    for own in ([], ["i0002"], ["i0000", "i0001", "i0002", "i0003"]):
        assert len(gather(shop, Request("u", AS_OF, own_items(own)), count).rows) == min(count, 4)


def test_own_items_are_found_again_by_their_place(bundle: CandidateBundle) -> None:
    own = own_items(["i0200", "gone-1", "i0100"])
    found = gather(bundle, Request("u", AS_OF, own), 60)
    for item, place in (("i0200", 0), ("i0100", 2)):
        assert found.own_place[found.rows == bundle.items.rows([item])[0]].tolist() == [place]
    assert (found.own_place >= 0).sum() == 2


def test_cooccurrence_sums_neighbours_and_knows_the_last_item(bundle: CandidateBundle) -> None:
    own = replace(own_items(["i0100", "i0105"]), event_count=np.array([1, 3], np.int32))
    found = gather(bundle, Request("u", AS_OF, own), 60)
    at = int(
        np.flatnonzero(found.rows == bundle.items.rows(["i0110"])[0])[0]
    )  # two steps from the first, one from the other
    assert found.cooccurrence_score[at] == pytest.approx(0.5 * np.log(2) + 1.0 * np.log(4))
    assert found.cooccurrence_last_score[at] == pytest.approx(0.5)


def test_own_items_come_by_weight(bundle: CandidateBundle) -> None:
    own = replace(own_items(["i0007", "i0008", "i0009"]), weight_scaled=np.array([2, 9, 2]) * WEIGHT_SCALE)
    found = gather(bundle, Request("u", AS_OF, own), 60)
    ranks = {bundle.items.external_ids[row]: rank for row, rank in zip(found.rows, found.own_rank, strict=True)}
    assert [ranks[name] for name in ("i0008", "i0007", "i0009")] == [1, 2, 3]


def test_quotas_above_the_whole_are_refused() -> None:
    with pytest.raises(BadInput, match="sum to 1"):
        Quotas(own=0.9, cooccurrence=0.9)


def test_an_empty_catalogue_gives_nothing() -> None:
    empty = bundle_of(IdMap(()), np.zeros((0, 8), np.float32), neighbours=0, random=np.random.default_rng(0))
    assert len(gather(empty, Request("u", AS_OF, OwnItems()), 10).rows) == 0

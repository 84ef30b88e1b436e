"""`recommend` gives a request in a batch exactly what it gets alone, and never a short or forbidden list."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import BadInput
from models.candidate_bundle import CandidateBundle
from models.ranker import RankerBundle
from models.scorers import BoosterScorer, CompiledScorer
from models.two_stage import Bundle, load_bundle, recommend
from models.user_state import OwnItems, Request
from tests.models.small_world import AS_OF, draw_requests, make_bundle, own_items


@pytest.fixture(scope="session")
def stages(bundle: CandidateBundle, compiled: CompiledScorer) -> Bundle:
    return Bundle(bundle, compiled, 60)


def test_a_batch_of_two_hundred_gives_each_what_it_gets_alone(stages: Bundle) -> None:
    requests = draw_requests(stages.candidates, 200)
    together = recommend(stages, requests, 20)
    for request, ranked in zip(reversed(requests), reversed(together), strict=True):
        (alone,) = recommend(stages, [request], 20)
        assert alone.item_ids == ranked.item_ids
        assert alone.scores.tobytes() == ranked.scores.tobytes()


def test_lists_are_full_and_hold_nothing_excluded_or_not_allowed(stages: Bundle) -> None:
    known = set(stages.candidates.items.external_ids)
    for request in draw_requests(stages.candidates, 100):
        (ranked,) = recommend(stages, [request], 20)
        may = (known if request.allowed is None else known & request.allowed) - request.excluded
        assert set(ranked.item_ids) <= may
        assert len(set(ranked.item_ids)) == len(ranked.item_ids) == min(20, len(may))


def test_scores_fall_and_ties_go_by_row(stages: Bundle) -> None:
    for ranked in recommend(stages, draw_requests(stages.candidates, 30), 60):
        rows = stages.candidates.items.rows(ranked.item_ids)
        pairs = list(zip(-ranked.scores, rows, strict=True))
        assert pairs == sorted(pairs)


def test_more_asked_for_than_candidates_are_usual_still_fills_the_list(stages: Bundle) -> None:
    (ranked,) = recommend(replace(stages, candidate_count=10), [Request("u", AS_OF)], 40)
    assert len(ranked.item_ids) == 40


def test_more_than_the_catalogue_gives_the_catalogue(reference: BoosterScorer) -> None:
    stages = Bundle(make_bundle(4), reference, 500)
    (ranked,) = recommend(stages, [Request("u", AS_OF, own_items(["i0001"]))], 50)
    assert sorted(ranked.item_ids) == ["i0000", "i0001", "i0002", "i0003"]


def test_nobody_and_nothing_allowed_give_nothing(stages: Bundle) -> None:
    assert recommend(stages, [], 5) == []
    (ranked,) = recommend(stages, [Request("u", AS_OF, allowed=frozenset({"unheard-of"}))], 5)
    assert (ranked.item_ids, len(ranked.scores)) == ((), 0)


def test_the_same_from_disk_as_from_memory(stages: Bundle, ranker: RankerBundle, cache: Path, tmp_path: Path) -> None:
    stages.candidates.save(tmp_path / "candidates", {})
    ranker.save(tmp_path / "ranker")
    loaded = load_bundle(tmp_path / "candidates", tmp_path / "ranker", cache, 60)
    requests = draw_requests(stages.candidates, 20)
    for ours, theirs in zip(recommend(stages, requests, 10), recommend(loaded, requests, 10), strict=True):
        assert ours.item_ids == theirs.item_ids
        assert ours.scores.tobytes() == theirs.scores.tobytes()


def test_a_request_that_does_not_fit_says_so() -> None:
    with pytest.raises(BadInput, match="user_stats has shape"):
        Request("u", AS_OF, user_stats=np.zeros(3))
    with pytest.raises(BadInput, match="own items came as columns"):
        OwnItems(item_ids=("a",))


def test_own_items_are_bounded_and_ordered_by_recency_then_id() -> None:
    row = {"weight_scaled": 1, "event_count": 1, "purchase_count": 0, "count_30d": 0, "first_at": 1, "value_scaled": 0}
    rows = [row | {"item_id": f"i{number:04d}", "last_at": number // 2} for number in range(1_200)]
    own = OwnItems.from_rows(rows)
    assert len(own.item_ids) == 1_000
    assert own.item_ids[:3] == ("i1198", "i1199", "i1196")

"""What every peer promises, on a world whose right answers are known by eye."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.errors import BadInput
from models.peers.built_in import BUILT_IN, load_peer
from models.peers.ease import ease
from models.peers.histories import DAY_SECONDS, Histories
from models.peers.peer import Ask, Lists, Recommender, best_rows, fill
from models.peers.popularity import popularity, recent_popularity
from models.peers.sequential_rules import sequential_rules
from tests.models.peers.small_histories import BAKERY, GARDEN, ITEMS, corner_histories, names, row

LEARNERS = ("item-kNN", "implicit ALS", "EASE")


@pytest.fixture(scope="module")
def past() -> Histories:
    return corner_histories()


def gardening(past: Histories) -> Recommender:
    return lambda asked, ask: np.full((len(asked), ask.count), row("pots"), np.int32)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_list_names_no_item_twice_and_has_the_shape_asked_for(name: str, past: Histories) -> None:
    lists = BUILT_IN[name](past)(past, Ask(5, novel=False))
    assert lists.shape == (len(past), 5)
    assert lists.dtype == np.int32
    for one in lists.tolist():
        found = [item for item in one if item >= 0]
        assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_novel_list_has_nothing_of_the_history(name: str, past: Histories) -> None:
    lists = BUILT_IN[name](past)(past, Ask(4, novel=True))
    seen = past.touched()
    for user, one in enumerate(lists.tolist()):
        assert not set(one) & set(seen[user].indices.tolist())


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_same_histories_give_the_same_lists(name: str, past: Histories) -> None:
    once, again = (BUILT_IN[name](past)(past, Ask(5, novel=False)) for _ in range(2))
    assert np.array_equal(once, again)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_missing_thing_of_a_taste_comes_first_among_what_is_new(name: str, past: Histories) -> None:
    lists = BUILT_IN[name](past)(past, Ask(1, novel=True))
    for user, one in enumerate(lists):
        taste = BAKERY if user % 2 == 0 else GARDEN
        assert names(one) == [taste[(user // 2) % 3]]


@pytest.mark.parametrize("name", LEARNERS)
def test_a_person_that_it_did_not_learn_from_is_folded_in(name: str, past: Histories) -> None:
    stranger = past.of_users(np.array([0]))
    learnt = past.of_users(np.arange(1, len(past)))
    assert names(BUILT_IN[name](learnt)(stranger, Ask(1, novel=True))[0]) == ["flour"]


def test_popularity_counts_people_and_not_events(past: Histories) -> None:
    lists = popularity(past)(past, Ask(1, novel=False))
    assert names(lists[0]) == ["bread"]
    assert past.item_users()[row("bread")] == len(past)


def test_recent_popularity_forgets_what_went_out_of_fashion(past: Histories) -> None:
    old = past.between(0, DAY_SECONDS)  # everything happened on the first day, and then a hundred days nothing
    late = replace(old, end_at=150 * DAY_SECONDS)
    assert late.item_users(late.end_at - 90 * DAY_SECONDS).sum() == 0
    assert names(recent_popularity(late)(late, Ask(1, novel=False))[0]) == ["bread"]  # what was liked ever stands in


@pytest.mark.parametrize("name", ["personal frequency", "LightGBM, plain"])
def test_where_people_repeat_themselves_lists_open_with_their_own_items(name: str, past: Histories) -> None:
    lists = BUILT_IN[name](past)(past, Ask(3, novel=False))
    assert set(names(lists[0])) == {"bread", "yeast", "sugar"}
    assert set(names(lists[1])) == {"bread", "seeds", "pots"}


def test_sequential_rules_know_what_follows(past: Histories) -> None:
    [first] = sequential_rules(past)(past.of_users(np.array([0])), Ask(1, novel=False))
    assert names(first)[0] in {"bread", "yeast", "sugar"}


def test_ease_leaves_items_beyond_its_cap_out(past: Histories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.peers.ease.MOST_ITEMS", 2)
    lists = ease(past)(past, Ask(5, novel=False))
    assert all(len(names(one)) == 2 for one in lists)


def test_empty_places_are_filled_with_popular_items(past: Histories) -> None:
    popular = np.argsort(-past.item_users(), kind="stable").astype(np.int32)
    short: Lists = np.full((len(past), 3), -1, np.int32)
    short[:, 0] = row("unsold")
    filled = fill(short, popular, past, novel=False)
    assert filled[:, 0].tolist() == [row("unsold")] * len(past)
    assert filled[0, 1] == row("bread")
    new = fill(short, popular, past, novel=True)
    assert "bread" not in names(new[0])


def test_best_rows_break_ties_by_row_and_never_show_what_is_closed() -> None:
    scores = np.array([1.0, -np.inf, 2.0, 2.0, 1.0], np.float32)
    assert best_rows(scores, 3).tolist() == [2, 3, 0]
    assert best_rows(scores, 5).tolist() == [2, 3, 0, 4]


def test_first_items_stop_before_the_next_distinct_one(past: Histories) -> None:
    shown = past.first_items(2)
    assert names(shown.item_rows[shown.starts[0] : shown.starts[1]]) == ["bread", "yeast"]


def test_a_peer_of_ones_own_is_named_by_module_and_function(past: Histories) -> None:
    own = load_peer("tests.models.peers.test_peers:gardening")
    assert names(own(past)(past, Ask(2, novel=False))[0]) == ["pots", "pots"]
    for wrong in ("tests.models.peers.test_peers", "tests.models.peers.test_peers:nothing", "no.such:peer", ":x"):
        with pytest.raises(BadInput, match="my_module:my_function"):
            load_peer(wrong)


def test_all_items_are_in_the_map() -> None:
    assert row("unsold") == ITEMS.external_ids.index("unsold")

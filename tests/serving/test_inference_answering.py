"""What a worker answers is what the two stages answer, with the person's profile, session, exclusions and filter."""

import time
from dataclasses import dataclass

import pytest

from contracts.errors import BadInput, StoreUnavailable
from models.live_state import StateTerms, categories_of, lay_over
from models.profile import DictProfiles, Profile
from models.scorers import BoosterScorer
from models.two_stage import Bundle, recommend
from models.user_state import LiveSession, Request
from serving.inference.answering import MAX_LIMIT, Answerer
from serving.inference.messages import TailAnswer, TailAsk, decode_answer, encode_answer
from tests.models.small_world import AS_OF, make_bundle
from tests.serving.inference_world import KNOWN, known_profile, small_ranker

WEIGHTS = {"view": 1.0, "click": 2.0}
CLICK = ("e1", "click", "i0007", AS_OF * 1_000 + 5_000, None)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle(make_bundle(), BoosterScorer(small_ranker().model_text), 60)


@pytest.fixture
def answerer(bundle: Bundle) -> Answerer:
    return Answerer("v1", bundle, DictProfiles({KNOWN: known_profile()}), WEIGHTS, AS_OF)


def answered(answerer: Answerer, ask: TailAsk) -> TailAnswer:
    """The answer, after the way over the wire."""
    return decode_answer(encode_answer(answerer.answer(ask)))


def state_now(answerer: Answerer, session: LiveSession) -> Request:
    terms = StateTerms(int(time.time()), WEIGHTS, categories_of(answerer.bundle.candidates))
    return lay_over(known_profile(), KNOWN, session, terms)


def test_a_known_person_gets_what_the_two_stages_give(answerer: Answerer) -> None:
    for _ in range(3):  # the clock may turn to another second in between
        [before] = recommend(answerer.bundle, [state_now(answerer, LiveSession())], 10)
        answer = answered(answerer, TailAsk(KNOWN, 10))
        [after] = recommend(answerer.bundle, [state_now(answerer, LiveSession())], 10)
        if before.item_ids == after.item_ids:
            break
    assert tuple(answer.item_ids) == before.item_ids
    assert answer.scores == pytest.approx(before.scores.tolist())
    assert (answer.version, answer.known_items, answer.session_items) == ("v1", 12, 0)


def test_one_click_changes_the_answer_and_is_counted(answerer: Answerer) -> None:
    calm = answered(answerer, TailAsk("nobody", 20))
    clicked = answered(answerer, TailAsk("nobody", 20, seq=1, events=[CLICK]))
    assert clicked.item_ids != calm.item_ids
    assert (clicked.known_items, clicked.session_items) == (0, 1)


def test_who_was_forgotten_since_the_hour_is_nobody(answerer: Answerer) -> None:
    assert answered(answerer, TailAsk(KNOWN, 5, forgotten_ms=AS_OF * 1_000 - 1)).known_items == 12
    forgotten = answered(answerer, TailAsk(KNOWN, 5, forgotten_ms=AS_OF * 1_000 + 1))
    assert forgotten.known_items == 0
    assert forgotten.item_ids == answered(answerer, TailAsk("nobody", 5)).item_ids


def test_what_is_excluded_or_delisted_is_not_there_and_the_list_stays_full(answerer: Answerer) -> None:
    first, second, *_ = answered(answerer, TailAsk(KNOWN, 10)).item_ids
    answerer.delist([first])
    answer = answered(answerer, TailAsk(KNOWN, 10, excluded=[second, "unheard of"]))
    assert len(answer.item_ids) == 10
    assert {first, second}.isdisjoint(answer.item_ids)
    answerer.delist([])
    assert answered(answerer, TailAsk(KNOWN, 10)).item_ids[:2] == [first, second]


def test_a_filter_opens_what_meets_it_and_nothing_else(answerer: Answerer) -> None:
    text = '{"equals":"c1","field":"category"}'
    codes, items = answerer.bundle.candidates.category_codes, answerer.bundle.candidates.items
    answer = answered(answerer, TailAsk(KNOWN, 20, filter=text))
    assert len(answer.item_ids) == 20
    assert {int(codes[row]) for row in items.rows(answer.item_ids)} == {1}
    with pytest.raises(BadInput):
        answerer.answer(TailAsk(KNOWN, 20, filter="{"))


def test_a_given_list_is_ranked_whole_with_unknown_items_last(answerer: Answerer) -> None:
    given = ["new-2", "i0100", "i0000", "new-1", "i0299", "i0100"]
    answer = answered(answerer, TailAsk(KNOWN, 2, items=given, excluded=["i0299"]))
    assert sorted(answer.item_ids[:2]) == ["i0000", "i0100"]
    assert answer.item_ids[2:] == ["new-2", "new-1"]
    assert answer.scores == sorted(answer.scores, reverse=True)
    assert answered(answerer, TailAsk(KNOWN, 2, items=[])).item_ids == []


@pytest.mark.parametrize(
    "ask", [TailAsk(KNOWN, 0), TailAsk(KNOWN, MAX_LIMIT + 1), TailAsk(KNOWN, 1, items=["x"] * 1_001)]
)
def test_a_question_beyond_the_bounds_is_refused(answerer: Answerer, ask: TailAsk) -> None:
    with pytest.raises(BadInput):
        answerer.answer(ask)


@dataclass(frozen=True, slots=True)
class AwayProfiles:
    """A store that does not answer."""

    def read(self, user_id: str) -> Profile | None:
        raise StoreUnavailable(f"the profile of {user_id} cannot be read")

    def close(self) -> None:
        pass


def test_without_the_store_of_profiles_the_session_still_answers(bundle: Bundle, answerer: Answerer) -> None:
    away = Answerer("v1", bundle, AwayProfiles(), WEIGHTS, AS_OF)
    ask = TailAsk(KNOWN, 5, events=[CLICK])
    assert answered(away, ask).known_items == 0
    assert answered(away, ask).item_ids == answered(answerer, TailAsk("nobody", 5, events=[CLICK])).item_ids


def test_warming_answers_every_kind_without_a_trace(answerer: Answerer) -> None:
    before = answered(answerer, TailAsk(KNOWN, 5)).item_ids
    answerer.warm()
    assert answered(answerer, TailAsk(KNOWN, 5)).item_ids == before

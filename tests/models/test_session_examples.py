"""Moments in sessions: what was known is what came before, what was wanted is what came after, the next most of all."""

import numpy as np

from models.live_state import StateTerms
from models.profile import Profile
from models.session_examples import Happened, moments_of
from models.user_state import LiveSession
from tests.models.small_world import AS_OF, DAY, own_items

TERMS = StateTerms(0, {"click": 2.0})


def happened(*sessions: str) -> Happened:
    """Each letter is a click on an item, a minute apart; each text is a session, a day apart."""
    items = tuple("".join(sessions))
    codes = np.repeat(np.arange(len(sessions)), [len(one) for one in sessions])
    at = AS_OF + codes * DAY + 60 * np.arange(len(items))
    events = LiveSession(items, ("click",) * len(items), at, np.full(len(items), np.nan))
    return Happened(events, codes, np.full(len(items), 2, np.int32))


def test_what_came_before_is_the_session_and_what_came_after_is_wanted() -> None:
    for user in map(str, range(20)):
        for moment in moments_of(user, None, happened("abcde", "xc"), TERMS):
            seen = len(moment.request.session.item_ids)
            assert moment.request.session.item_ids == tuple("abcde")[:seen]
            assert set(moment.request.own.item_ids) == set("abcde"[:seen])
            assert moment.request.as_of_at == AS_OF + 60 * (seen - 1)
            wanted = dict.fromkeys("abcde"[seen:], 3) | {"x": 2} | {"abcde"[seen]: 4}
            assert moment.wanted == {"c": 2} | wanted


def test_moments_differ_by_person_and_not_by_the_day_they_are_drawn() -> None:
    def drawn(user: str) -> list[int]:
        return [len(m.request.session.item_ids) for m in moments_of(user, None, happened("abcdefghij"), TERMS)]

    all_of_them = [drawn(str(user)) for user in range(40)]
    assert all_of_them == [drawn(str(user)) for user in range(40)]
    assert {1, 2, 3} < {seen for one in all_of_them for seen in one} <= set(range(1, 10))


def test_a_profile_lies_below_the_session() -> None:
    own = own_items(["i0001", "i0002"])
    (moment, *_) = moments_of("7", Profile(own), happened("ab"), TERMS)
    assert moment.request.own.item_ids == ("a", *own.item_ids)


def test_a_session_of_one_event_teaches_nothing() -> None:
    assert list(moments_of("u", None, happened("a", "bcd"), TERMS)) == []


def test_a_long_session_is_bounded_as_the_overlay_is() -> None:
    letters = [chr(97 + place % 26) for place in range(200)]
    sizes = {
        len(moment.request.session.item_ids)
        for user in range(60)
        for moment in moments_of(str(user), None, happened("".join(letters)), TERMS)
    }
    assert max(sizes) == 50

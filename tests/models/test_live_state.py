"""Laws of a session laid over a profile; that it equals the hour's own counting is tried in spark_jobs."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.features import USER_STATS
from contracts.lake import PURCHASE, WEIGHT_SCALE
from contracts.user_state import MAX_PROFILE_ITEMS
from models.live_state import StateTerms, categories_of, lay_over
from models.profile import Profile
from models.user_state import LiveSession, OwnItems, Request
from tests.models.small_world import AS_OF, DAY, make_bundle, own_items

WEIGHTS = {"view": 1.0, PURCHASE: 8.0, "not_interested": 0.0}
BUNDLE = make_bundle(40)
TERMS = StateTerms(AS_OF, WEIGHTS, categories_of(BUNDLE))
Event = tuple[str, str, int, float]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from([f"i{number:04d}" for number in range(8)] + ["unknown", ""]),
        st.sampled_from(["view", PURCHASE, "not_interested", "hover"]),
        st.integers(AS_OF - 40 * DAY, AS_OF),
        st.sampled_from([1.5, 20.0, float("nan"), 0.0]),
    ),
    max_size=12,
    unique_by=lambda event: event[2],
).map(lambda events: sorted(events, key=lambda event: event[2]))


def session_of(events: list[Event]) -> LiveSession:
    items, kinds, at, values = zip(*events, strict=True) if events else ((), (), (), ())
    return LiveSession(items, kinds, np.array(at, np.int64), np.array(values, np.float64))


def profile_after(*sessions: list[Event]) -> Profile:
    profile = Profile()
    for events in sessions:
        request = lay_over(profile, "ann", session_of(events), TERMS)
        profile = Profile(request.own, request.user_stats)
    return profile


def columns(profile: Profile) -> dict[str, object]:
    own = {field.name: list(getattr(profile.own, field.name)) for field in fields(OwnItems)}
    return own | dict(zip(USER_STATS, map(repr, profile.user_stats.tolist()), strict=True))


def stat(profile: Profile, name: str) -> float:
    return float(profile.user_stats[USER_STATS.index(name)])


@pytest.mark.parametrize("profile", [None, Profile(), Profile(own_items(["i0001"]), np.arange(19.0))])
def test_an_empty_session_leaves_the_request_of_the_batch(profile: Profile | None) -> None:
    known = profile or Profile()
    request = lay_over(profile, "ann", LiveSession(), TERMS)
    batch = Request("ann", AS_OF, known.own, known.user_stats)
    assert columns(Profile(request.own, request.user_stats)) == columns(known)
    assert (request.user_id, request.as_of_at, request.excluded) == (batch.user_id, batch.as_of_at, batch.excluded)


@given(events=EVENTS, cut=st.integers(0, 12))
def test_events_may_come_in_one_session_or_in_two(events: list[Event], cut: int) -> None:
    assert columns(profile_after(events[:cut], events[cut:])) == columns(profile_after(events))


@given(events=EVENTS, again=st.integers(0, 12))
def test_events_that_the_profile_has_count_once(events: list[Event], again: int) -> None:
    assert columns(profile_after(events, events[:again])) == columns(profile_after(events))


@given(events=EVENTS)
def test_own_items_come_most_recent_first_and_counts_fit_the_events(events: list[Event]) -> None:
    counted = [event for event in events if event[0] and event[1] != "not_interested"]
    own = profile_after(events).own
    assert list(zip(-own.last_at, own.item_ids, strict=True)) == sorted(zip(-own.last_at, own.item_ids, strict=True))
    assert int(own.event_count.sum()) == len(counted)
    assert int(own.purchase_count.sum()) == sum(kind == PURCHASE for _, kind, _, _ in counted)
    assert int(own.weight_scaled.sum()) == sum(WEIGHTS.get(kind, 1.0) for _, kind, _, _ in counted) * WEIGHT_SCALE


def test_what_is_no_sign_of_interest_changes_nothing_but_stays_in_the_session() -> None:
    session = session_of([("i0001", "not_interested", AS_OF, 0.0), ("", "search", AS_OF, 0.0)])
    request = lay_over(None, "ann", session, TERMS)
    assert request.own.item_ids == () and np.isnan(request.user_stats).all() and request.session is session


def test_a_full_profile_lets_its_oldest_item_go() -> None:
    ids = [f"x{number:04d}" for number in range(MAX_PROFILE_ITEMS)]
    full = Profile(own_items(ids), np.ones(len(USER_STATS)))
    request = lay_over(full, "ann", session_of([("new", "view", AS_OF, 0.0)]), TERMS)
    assert request.own.item_ids == ("new", *ids[:-1])


def test_of_an_item_that_a_full_profile_dropped_old_events_are_not_counted_again() -> None:
    full = Profile(own_items([f"x{number:04d}" for number in range(MAX_PROFILE_ITEMS)]), np.ones(len(USER_STATS)))
    long_ago = session_of([("dropped", "view", int(full.own.last_at[-1]), 0.0)])
    assert lay_over(full, "ann", long_ago, TERMS).own is full.own


def test_a_first_purchase_gives_a_stranger_statistics() -> None:
    saturday_noon = 1_769_860_800  # 2026-01-31T12:00:00Z
    later = StateTerms(saturday_noon + 60, WEIGHTS, categories_of(BUNDLE))
    request = lay_over(None, "ann", session_of([("i0001", PURCHASE, saturday_noon, 2.5)]), later)
    known = Profile(request.own, request.user_stats)
    names = ("user_event_count", "user_active_days", "user_session_size", "user_price_mean", "user_value_30d")
    assert [stat(known, name) for name in names] == [1.0, 1.0, 1.0, 2.5, 2.5]
    assert [stat(known, f"user_{part}_share") for part in ("afternoon", "weekend", "morning")] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(("days", "weekend"), [(-1, 0.0), (0, 1.0), (1, 1.0), (2, 0.0)])
def test_saturday_and_sunday_are_the_weekend(days: int, weekend: float) -> None:
    at = 1_769_860_800 + days * DAY  # from a Saturday on
    request = lay_over(None, "ann", session_of([("i0001", "view", at, 0.0)]), StateTerms(at, WEIGHTS))
    assert request.user_stats[USER_STATS.index("user_weekend_share")] == weekend


def test_a_clock_that_is_ahead_makes_no_negative_age() -> None:
    request = lay_over(None, "ann", session_of([("i0001", "view", AS_OF + 900, 0.0)]), TERMS)
    assert request.own.last_at.tolist() == [AS_OF] and request.user_stats[USER_STATS.index("user_last_at")] == AS_OF

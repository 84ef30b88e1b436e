"""Hot state takes each event once, forgets in time, and joins a session that was anonymous."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from contracts.event_contract import NOT_INTERESTED, PAGE, PURCHASE, SEARCH, SHOWN, VIEW
from contracts.overlay import MAX_GONE_ITEMS, MAX_SESSION_EVENTS, Overlay, decode_overlay, hands_through, sequence_of
from contracts.redis_layout import POINTER, Pointer, list_key, overlay_key, profile_key
from contracts.settings import Settings
from headrace.embedded_redis import EmbeddedRedis
from ingest.breaker import Breaker
from ingest.hot_state import HotState
from ingest.redis_client import RedisClient
from ingest.redis_cluster import ClusterReads
from ingest.redis_endpoint import parse_endpoint
from ingest.redis_guard import GuardedRedis
from tests.ingest.happenings import happening
from tests.redis_cluster_nodes import start_cluster

SETTINGS = Settings(session_ttl_minutes=30, bought_hidden_hours=24, dismissed_hidden_days=30)
GENEROUS = 10.0
HOUR, DAY = 3_600.0, 86_400.0


def soon() -> float:
    return time.monotonic() + GENEROUS


@pytest.fixture
def hot(redis_server: EmbeddedRedis) -> Iterator[HotState]:
    state = HotState(RedisClient(parse_endpoint(redis_server.url)), SETTINGS)
    yield state
    state.close()


@pytest.fixture
def server(redis_server: EmbeddedRedis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


def overlay_of(server: redis.Redis, person: str = "ada") -> Overlay:
    raw = server.get(overlay_key(person))
    assert isinstance(raw, bytes)
    assert sequence_of(raw) == str(decode_overlay(raw).seq)
    return decode_overlay(raw)


def test_a_view_is_remembered_and_makes_a_decision_due(hot: HotState, server: redis.Redis) -> None:
    event = happening(VIEW, "apple", value=2.5)
    assert hot.apply([event], soon()) == {event.event_id: 1}
    raw = server.get(overlay_key("ada"))
    assert not hands_through(raw)
    assert decode_overlay(raw).events == ((event.event_id, VIEW, "apple", event.occurred_at // 1_000, 2.5),)
    assert 29 * 60 < server.ttl(overlay_key("ada")) <= 30 * 60


@pytest.mark.parametrize("late", [0.0, 5.0])
def test_what_names_no_item_leaves_the_list_as_it_is_until_something_does(
    late: float, hot: HotState, server: redis.Redis
) -> None:
    pages = [happening(PAGE, "", ago_seconds=20), happening(SEARCH, "", ago_seconds=10), happening(PAGE, "")]
    for event in pages:
        hot.apply([event], soon())
        assert hands_through(server.get(overlay_key("ada")))
    hot.apply([happening(VIEW, "apple", ago_seconds=late)], soon())
    hot.apply([happening(PAGE, "")], soon())
    assert not hands_through(server.get(overlay_key("ada")))
    assert overlay_of(server).seq == 5


@pytest.mark.parametrize(("event_type", "hidden"), [(PURCHASE, DAY), (NOT_INTERESTED, 30 * DAY)])
def test_what_was_bought_or_dismissed_is_gone_until_its_time(
    event_type: str, hidden: float, hot: HotState, server: redis.Redis
) -> None:
    hot.apply([happening(event_type, "apple", ago_seconds=60)], soon())
    assert not hands_through(server.get(overlay_key("ada")))
    now_ms = int(time.time() * 1_000)
    assert overlay_of(server).gone_at(now_ms) == {"apple"}
    assert overlay_of(server).gone_at(now_ms + int(hidden * 1_000)) == frozenset()
    assert abs(server.ttl(overlay_key("ada")) - (hidden - 60)) < 10


def test_an_event_counts_once_however_often_it_comes(hot: HotState, server: redis.Redis) -> None:
    events = [happening(PURCHASE, "apple"), happening(VIEW, "bread")]
    first = hot.apply(events, soon())
    before = server.get(overlay_key("ada"))
    assert set(first.values()) == {1, 2}
    assert set(hot.apply([*events, *events], soon()).values()) == {2}
    assert server.get(overlay_key("ada")) == before


@given(st.lists(st.tuples(st.integers(0, 11), st.booleans()), max_size=30))
@profile(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_repetition_gives_the_same_state(
    hot: HotState, server: redis.Redis, arrivals: list[tuple[int, bool]]
) -> None:
    server.delete(overlay_key("ada"))
    known = [happening(VIEW if n % 3 else PURCHASE, f"item{n}", ago_seconds=100.0 - n) for n in range(12)]
    batch = []
    for number, is_last in arrivals:
        batch.append(known[number])
        if is_last:
            hot.apply(batch, soon())
            batch = []
    hot.apply(batch, soon())
    came = sorted({number for number, _ in arrivals})
    if came:
        overlay = overlay_of(server)
        assert [event.item_id for event in overlay.events] == [f"item{number}" for number in came]
        assert (overlay.seq, set(overlay.gone)) == (len(came), {f"item{n}" for n in came if n % 3 == 0})
    else:
        assert server.get(overlay_key("ada")) is None


@pytest.mark.parametrize("batch", [1, 7, MAX_SESSION_EVENTS + 20])
@pytest.mark.parametrize("bought", [(), ("last",)])
def test_only_the_newest_events_are_kept(
    batch: int, bought: tuple[str, ...], hot: HotState, server: redis.Redis
) -> None:
    names = [f'item "],[" {n}' for n in range(MAX_SESSION_EVENTS + 20)]
    events = [happening(VIEW, name, ago_seconds=200 - n, value=n / 3) for n, name in enumerate(names)]
    for start in range(0, len(events), batch):
        hot.apply(events[start : start + batch], soon())
        hot.apply(events[start : start + batch], soon())
    hot.apply([happening(PURCHASE, item) for item in bought], soon())
    overlay = overlay_of(server)
    assert [event.item_id for event in overlay.events] == [*names, *bought][-MAX_SESSION_EVENTS:]
    assert overlay.events[0].value == pytest.approx((20 + len(bought)) / 3)
    assert overlay.seq == MAX_SESSION_EVENTS + 20 + len(bought)


def test_gone_items_are_bounded_and_the_first_to_return_go(hot: HotState, server: redis.Redis) -> None:
    events = [happening(PURCHASE, f"item{n}", ago_seconds=2_000 - n) for n in range(MAX_GONE_ITEMS + 5)]
    for start in range(0, len(events), 400):
        hot.apply(events[start : start + 400], soon())
    gone = set(overlay_of(server).gone)
    assert len(gone) == MAX_GONE_ITEMS
    assert not gone & {f"item{n}" for n in range(5)}


def test_a_session_ends_after_its_last_event(hot: HotState, server: redis.Redis) -> None:
    hot.apply([happening(PURCHASE, "apple", ago_seconds=HOUR)], soon())
    assert overlay_of(server).events == ()
    assert set(overlay_of(server).gone) == {"apple"}
    late = happening(VIEW, "bread", ago_seconds=DAY * 2)
    assert hot.apply([late], soon()) == {late.event_id: 1}
    assert hot.apply([replace(late, user_id="eve")], soon()) == {late.event_id: 0}
    assert server.get(overlay_key("eve")) is None


def test_shown_lists_are_no_part_of_a_session(hot: HotState, server: redis.Redis) -> None:
    assert hot.apply([happening(SHOWN, "")], soon()) == {}
    assert server.get(overlay_key("ada")) is None


def test_an_anonymous_session_joins_the_person_once(hot: HotState, server: redis.Redis) -> None:
    before = [
        happening(PURCHASE, "apple", user_id="", anonymous_id="a1", ago_seconds=20),
        happening(VIEW, "bread", user_id="", anonymous_id="a1", ago_seconds=10),
    ]
    hot.apply(before, soon())
    assert set(overlay_of(server, "anon:a1").gone) == {"apple"}
    login = happening("page", "", anonymous_id="a1")
    assert hot.apply([login], soon()) == {login.event_id: 3}
    overlay = overlay_of(server)
    assert [event.item_id for event in overlay.events] == ["apple", "bread", ""]
    assert set(overlay.gone) == {"apple"}
    assert server.get(overlay_key("anon:a1")) is None
    hot.apply([*before, login], soon())
    hot.join("a1", "ada", soon())
    assert overlay_of(server).seq == 3


def test_a_forgotten_person_loses_lists_and_session_and_starts_anew(hot: HotState, server: redis.Redis) -> None:
    server.set(POINTER, Pointer("v2", 2, "i", "t", previous="v1").encode())
    keys = [builder(version, "ada") for version in ("v1", "v2") for builder in (list_key, profile_key)]
    server.mset(dict.fromkeys([*keys, list_key("v2", "eve")], b"x"))
    old = happening(PURCHASE, "apple", ago_seconds=5)
    hot.apply([old], soon())
    assert hot.forget("ada", int(time.time() * 1_000), soon()) == 2
    assert server.exists(*keys) == 0
    assert server.exists(list_key("v2", "eve")) == 1
    overlay = overlay_of(server)
    assert (overlay.events, dict(overlay.gone), overlay.seq) == ((), {}, 2)
    assert not hands_through(server.get(overlay_key("ada")))
    hot.apply([old], soon())
    assert overlay_of(server).seq == 2
    hot.apply([happening(VIEW, "bread", ago_seconds=-1)], soon())
    assert [event.item_id for event in overlay_of(server).events] == ["bread"]
    assert overlay_of(server).forgotten_ms > 0


def test_a_server_that_forgot_the_script_is_given_it_again(hot: HotState, server: redis.Redis) -> None:
    hot.apply([happening()], soon())
    server.script_flush()
    hot.apply([happening()], soon())
    assert overlay_of(server).seq == 2


@pytest.mark.parametrize("raw", [b"rubbish", b"1{", b"0[]", b""])
def test_a_strange_value_is_replaced(raw: bytes, hot: HotState, server: redis.Redis) -> None:
    server.set(overlay_key("ada"), raw)
    hot.apply([happening()], soon())
    assert overlay_of(server).seq == 1


def test_ids_of_any_letters_come_back(hot: HotState, server: redis.Redis) -> None:
    for item in ('a"b\\c/d', "süd \N{SNOWMAN}\x00", "12", "{}"):
        hot.apply([happening(PURCHASE, item, user_id="odd")], soon())
        assert overlay_of(server, "odd").events[-1].item_id == item
        assert item in overlay_of(server, "odd").gone


def test_every_person_is_found_on_a_cluster(tmp_path: Path) -> None:
    with start_cluster(tmp_path) as nodes:
        guard = lambda node: GuardedRedis(node, Breaker(0.1), lambda _kind: None)  # noqa: E731
        store = ClusterReads(parse_endpoint(nodes[1].url), guard)
        state = HotState(store, SETTINGS)
        people = [f"user{n}" for n in range(20)]
        assert set(state.apply([happening(PURCHASE, user_id=one) for one in people], soon()).values()) == {1}
        state.apply([happening(VIEW, user_id="", anonymous_id="a9")], soon())
        login = happening(VIEW, user_id="user3", anonymous_id="a9")
        assert state.apply([login], soon()) == {login.event_id: 3}
        found = store.mget([overlay_key(one) for one in people], soon())
        assert all(raw is not None and decode_overlay(raw).gone for raw in found)
        state.close()

"""Lists computed on demand: who gets one, what is asked for it, and what stands in when it does not come."""

import json
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask

from contracts.answers import SOURCE_ON_DEMAND, named_subject, recommendation_id
from contracts.errors import BadInput
from contracts.redis_layout import overlay_key
from contracts.settings import Settings
from serving.app import create_app, services_of
from serving.decision import NEWER_SESSION, NO_OWN_LIST
from serving.inference.messages import ANSWERED, REQUEST_HEADER, TailAnswer, TailAsk, encode_answer, pack_reply
from serving.inference.messages import BUSY as MESSAGES_BUSY
from serving.left_out import DELISTED_REASON
from serving.on_demand import WHY_NOT, Clock, MemoryAnswers
from serving.questions import SPARE_ITEMS
from serving.tail_client import BUSY, FAILED, FAILURE_KINDS, LATE, UNREACHABLE, TailFailure
from tests.ingest.slow_peers import Behaviour, drip, peer, say_nothing, speak_http
from tests.serving.conftest import OpenApp
from tests.serving.published import Version
from tests.serving.test_left_out import FAR_MS, set_delisted

COMPUTED = ("fig", "apple", "ginger", "bread")
KNOWN, ADA = "/v1/recommendations/known", "/v1/recommendations/ada"


def computed(_ask: TailAsk) -> Sequence[str]:
    return COMPUTED


def failing(kind: str) -> MemoryAnswers:
    def fail(_ask: TailAsk) -> Sequence[str]:
        raise TailFailure(kind, "as the test wants it")

    return MemoryAnswers(fail)


@pytest.fixture
def answers() -> MemoryAnswers:
    return MemoryAnswers(computed, "2026-01-31T08.2")


@pytest.fixture
def computing(lists: redis.Redis, settings: Settings, answers: MemoryAnswers) -> Iterator[Flask]:
    """The application with answers from memory."""
    app = create_app(settings, answers)
    yield app
    services_of(app).close()


def get(app: Flask, path: str) -> dict[str, Any]:
    response = app.test_client().get(path)
    assert response.status_code == 200
    answer: dict[str, Any] = response.get_json()
    return answer


def items_of(answer: dict[str, Any]) -> list[str]:
    return [row["item_id"] for row in answer["items"]]


def session(*rows: tuple[str, str, float], seq: int = 4, **more: Any) -> bytes:
    """An overlay of events by type, item and age in seconds; its flag says that a decision is due."""
    now = time.time() * 1_000
    events = [[f"e{place}", kind, item, int(now - ago * 1_000), None] for place, (kind, item, ago) in enumerate(rows)]
    return b"1" + json.dumps({"seq": seq, "events": events, "gone": {}, **more}, separators=(",", ":")).encode()


def test_a_tail_user_gets_a_list_of_now(computing: Flask, answers: MemoryAnswers) -> None:
    answer = get(computing, KNOWN)
    assert (answer["source"], items_of(answer)) == ("on_demand", list(COMPUTED))
    assert answer["reason"] == f"{NO_OWN_LIST}; computed now (known items: 0, items of the session: 0)"
    assert (answer["version"], answer["subject"]) == ("2026-01-31T08.2", "known")
    assert answer["recommendation_id"] == recommendation_id("2026-01-31T08.2", named_subject(SOURCE_ON_DEMAND, "known"))
    assert int(computing.test_client().get(KNOWN).headers["Age"]) <= 1
    asked = answers.asked[0]
    assert (asked.user_id, asked.events, asked.excluded, asked.filter) == ("known", [], [], "")
    assert (asked.context.placement, asked.context.region) == ("home", "north")
    assert asked.limit == services_of(computing).settings.list_size + SPARE_ITEMS
    assert asked.encode() == answers.asked[1].encode()  # equal questions, so that they are computed once


def test_a_head_user_keeps_the_stored_list_until_something_newer_happened(
    computing: Flask, answers: MemoryAnswers, lists: redis.Redis
) -> None:
    stored = Version().answer("ada", "head")
    assert computing.test_client().get(ADA).data == stored
    lists.set(overlay_key("ada"), session(("page", "", 1)))
    assert computing.test_client().get(ADA).data == stored
    assert not answers.asked
    lists.set(overlay_key("ada"), session(("hover", "fig", 9), ("search", "", 5)))
    answer = get(computing, ADA)
    assert (answer["source"], answer["reason"].split(";")[0]) == ("on_demand", NEWER_SESSION)
    assert [row[1:3] for row in answers.asked[0].events] == [("hover", "fig"), ("search", "")]
    assert answers.asked[0].seq == 4


def test_a_session_that_has_ended_sends_nobody_on_demand(computing: Flask, lists: redis.Redis) -> None:
    lists.set(overlay_key("ada"), session(("view", "fig", 31 * 60)))
    lists.set(overlay_key("eve"), session(("view", "fig", 31 * 60)))
    assert get(computing, ADA)["source"] == "head"
    assert get(computing, "/v1/recommendations/eve")["source"] == "popular"


def test_a_strangers_first_click_is_enough(computing: Flask, answers: MemoryAnswers, lists: redis.Redis) -> None:
    assert get(computing, "/v1/recommendations/anon:1")["source"] == "popular"
    lists.set(overlay_key("anon:1"), session(("click", "fig", 1)))
    answer = get(computing, "/v1/recommendations/anon:1?region=north&device=mobile&limit=2")
    assert (answer["source"], items_of(answer)) == ("on_demand", ["fig", "apple"])
    context = answers.asked[0].context
    assert (context.region, context.device) == ("north", "mobile")


def test_gone_items_are_not_asked_for_and_delisted_ones_are_dropped(
    computing: Flask, answers: MemoryAnswers, lists: redis.Redis
) -> None:
    lists.set(overlay_key("known"), session(("purchase", "fig", 1), gone={"fig": FAR_MS}))
    set_delisted(computing, ["ginger"])
    assert items_of(get(computing, KNOWN)) == ["apple", "bread"]
    assert answers.asked[0].excluded == ["fig"]
    set_delisted(computing, COMPUTED)
    answer = get(computing, KNOWN)
    assert answer["source"] == "fallback"
    assert WHY_NOT["empty"] in answer["reason"] and DELISTED_REASON in answer["reason"]


def test_a_forgotten_person_is_a_stranger_whose_new_session_counts(
    computing: Flask, answers: MemoryAnswers, lists: redis.Redis
) -> None:
    now_ms = int(time.time() * 1_000)
    lists.set(overlay_key("known"), session(forgotten=now_ms))
    assert get(computing, KNOWN)["source"] == "popular"
    lists.set(overlay_key("known"), session(("click", "fig", 0), forgotten=now_ms))
    assert get(computing, KNOWN)["source"] == "on_demand"
    assert answers.asked[0].forgotten_ms == now_ms


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_what_stands_in_says_why(kind: str, lists: redis.Redis, settings: Settings) -> None:
    app = create_app(settings, failing(kind))
    lists.set(overlay_key("ada"), session(("click", "fig", 1)))
    tail, head = get(app, KNOWN), get(app, f"{ADA}?limit=3")
    assert (tail["source"], tail["subject"]) == ("fallback", "segment/regulars")
    assert tail["reason"] == f"{NO_OWN_LIST}; {WHY_NOT[kind]}; popular in the segment"
    assert (head["source"], len(head["items"])) == ("head", 3)
    assert head["reason"] == f"the stored reason of head; {WHY_NOT[kind]}"
    text = app.test_client().get("/metrics").text
    assert f'headrace_tail_failures_total{{kind="{kind}"}} 2.0' in text
    assert "headrace_tail_seconds_count 2.0" in text
    services_of(app).close()


def test_redis_is_asked_nothing_once_inference_was(lists: redis.Redis, settings: Settings) -> None:
    counted = []

    def fail_late(_ask: TailAsk) -> Sequence[str]:
        counted.append(reads(lists))
        raise TailFailure(LATE, "as the test wants it")

    app = create_app(settings, MemoryAnswers(fail_late))
    get(app, f"{KNOWN}?region=atlantis")
    assert counted == [reads(lists)]
    services_of(app).close()


def reads(client: redis.Redis) -> int:
    calls = client.info("commandstats")["cmdstat_mget"]["calls"]
    return int(calls)


def test_a_place_that_may_not_use_the_history_asks_in_nobodys_name(
    tmp_path: Path, lists: redis.Redis, settings: Settings, answers: MemoryAnswers
) -> None:
    file = tmp_path / "placements.toml"
    place = 'personal = true\nsources = ["on_demand", "popular"]\n'
    file.write_text(
        f'default = "now"\n[now]\nintent = "The session"\n{place}fields = ["session"]\n'
        f'[past]\nintent = "The history"\n{place}fields = ["history"]\n'
    )
    app = create_app(replace(settings, placements_file=str(file)), answers)
    lists.set(overlay_key("known"), session(("click", "fig", 1)))
    assert get(app, KNOWN)["source"] == get(app, f"{KNOWN}?placement=past")["source"] == "on_demand"
    assert [(ask.user_id, len(ask.events), ask.seq) for ask in answers.asked] == [("", 1, 4), ("known", 0, 0)]
    services_of(app).close()


def test_nothing_listening_costs_next_to_nothing(app: Flask, settings: Settings) -> None:
    reasons = [get(app, KNOWN)["reason"] for _ in range(6)]
    assert WHY_NOT[UNREACHABLE] in reasons[0]
    assert WHY_NOT["open"] in reasons[-1]
    assert "headrace_tail_breaker_open 1.0" in app.test_client().get("/metrics").text


def test_inference_gets_what_is_left_of_the_request_less_the_reserve() -> None:
    clock = Clock.of(Settings(redis_timeout_ms=30, request_timeout_ms=200, inference_timeout_ms=150))
    now = time.monotonic()
    fresh = clock.for_inference(now + 0.030)
    assert now + 0.150 <= fresh <= time.monotonic() + 0.150
    after_100_ms = clock.for_inference(now - 0.070)
    assert after_100_ms == pytest.approx(now + 0.080)


def test_a_reserve_that_leaves_no_time_is_refused_at_start() -> None:
    with pytest.raises(BadInput, match="HEADRACE_ANSWER_RESERVE_MS is 200; it takes less than"):
        Clock.of(Settings(request_timeout_ms=200, answer_reserve_ms=200))


def test_timings_are_told_when_asked_for(computing: Flask, open_app: OpenApp) -> None:
    assert set(get(computing, f"{KNOWN}?debug=timings")["timings_ms"]) == {
        "store",
        "inference",
        "inference.rank",
        "total",
    }
    stored = get(computing, f"{ADA}?debug=timings")
    assert set(stored.pop("timings_ms")) == {"store", "total"}
    assert stored == json.loads(Version().answer("ada", "head"))
    assert computing.test_client().get(f"{KNOWN}?debug=all").status_code == 400


def test_a_service_that_is_busy_is_asked_again_by_the_next_request(lists: redis.Redis, settings: Settings) -> None:
    outcomes = iter([BUSY, ""])

    def busy_once(_ask: TailAsk) -> Sequence[str]:
        if kind := next(outcomes):
            raise TailFailure(kind, "as the test wants it")
        return COMPUTED

    app = create_app(settings, MemoryAnswers(busy_once))
    assert [get(app, KNOWN)["source"] for _ in range(2)] == ["fallback", "on_demand"]
    services_of(app).close()


def answer_with(*, status: int = ANSWERED, scores: Sequence[float] = (1.0, 0.5), ahead: int = 0) -> Behaviour:
    """Answer every question, whatever it asks, with two items."""
    body = encode_answer(TailAnswer("v", ["fig", "apple"], list(scores), 0, 0, []))

    def behave(link: socket.socket) -> None:
        while sent := link.recv(65_536):
            number = REQUEST_HEADER.unpack_from(sent)[2]
            link.sendall(pack_reply(number + ahead, status, body))

    return behave


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (drip, UNREACHABLE),
        (say_nothing, LATE),
        (speak_http, UNREACHABLE),
        (answer_with(status=99), FAILED),
        (answer_with(status=MESSAGES_BUSY), BUSY),
        (answer_with(scores=[1.0]), FAILED),
        (answer_with(scores=[1.0, float("nan")]), FAILED),
        (answer_with(ahead=7), UNREACHABLE),
        (answer_with(), ""),
    ],
)
def test_whatever_a_service_says_the_answer_is_a_200_that_tells_the_truth(
    behaviour: Behaviour, kind: str, lists: redis.Redis, settings: Settings, open_app: OpenApp
) -> None:
    lists.set(overlay_key("ada"), session(("click", "fig", 1)))
    with peer(behaviour) as port:
        url = f"tcp://127.0.0.1:{port}"
        app = open_app(replace(settings, inference_url=url, redis_timeout_ms=2_000, request_timeout_ms=4_000))
        for _ in range(5):  # more than open the breaker
            tail, head = get(app, KNOWN), get(app, ADA)
            sources = (tail["source"], head["source"])
            assert sources == (("fallback", "head") if kind else ("on_demand", "on_demand"))
            assert not kind or any(WHY_NOT[one] in tail["reason"] for one in (kind, "open"))

"""Posted events get a verdict each, are in the stream once, and are seen by the very next look-up."""

import gzip
import json
import time
from collections import Counter
from dataclasses import replace

import pytest
import redis
from flask import Flask

from contracts.event_contract import decode_event
from contracts.records import DEAD_LETTER, EVENT, Record
from contracts.settings import Settings
from ingest.consumers import open_consumer
from serving.app import services_of
from serving.bodies import MAX_BODY_BYTES
from tests.serving.conftest import OpenApp
from tests.serving.published import ITEMS
from tests.serving.senders import Keys, Sender, event

EVENTS = "/v1/events"


def stored(settings: Settings) -> list[Record]:
    """Every record of the stream."""
    consumer = open_consumer(settings)
    records: list[Record] = []
    while some := consumer.read(1_000, 0.05):
        records += [entry.record for entry in some]
    consumer.close()
    return records


def test_a_bought_item_is_gone_from_the_next_list(sender: Sender) -> None:
    assert sender.items()[0] == "apple"
    answer = sender.post(EVENTS, event("purchase", "apple"))
    assert answer.status_code == 202
    body = answer.get_json()
    assert (body["accepted"], body["duplicates"], body["rejected"], body["visible"]) == (1, 0, 0, True)
    assert body["results"][0]["seq"] == 1
    assert sender.items() == list(ITEMS[1:])


def test_a_viewer_keeps_the_stored_list_while_nothing_can_be_computed(sender: Sender) -> None:
    before = sender.client.get("/v1/recommendations/ada")
    sender.post(EVENTS, [event("view", "apple"), event("click", "apple")])
    after = sender.client.get("/v1/recommendations/ada")
    changed = {name for name, value in after.get_json().items() if value != before.get_json()[name]}
    assert (changed, after.get_json()["source"]) == ({"reason"}, "head")
    assert (before.headers.get("X-Headrace-Seq"), after.headers["X-Headrace-Seq"]) == (None, "2")


def test_a_page_seen_changes_no_byte_of_the_list(sender: Sender) -> None:
    before = sender.client.get("/v1/recommendations/ada")
    sender.post(EVENTS, [event("page", None), event("search", None, properties={"query": "tea"})])
    after = sender.client.get("/v1/recommendations/ada")
    assert (after.data, after.headers["X-Headrace-Seq"]) == (before.data, "2")


def test_an_event_is_stored_once_however_often_it_is_sent(sender: Sender, settings: Settings) -> None:
    one, other = event("purchase", "apple"), event("view", "bread")
    first = sender.post(EVENTS, [one, other, one]).get_json()
    assert [result["status"] for result in first["results"]] == ["accepted", "accepted", "duplicate"]
    again = sender.post(EVENTS, {"events": [one, other]}).get_json()
    assert (again["accepted"], again["duplicates"], again["visible"]) == (0, 2, True)
    assert [result["seq"] for result in again["results"]] == [2, 2]
    assert [decode_event(record.payload).event_id for record in stored(settings)] == [
        one["event_id"],
        other["event_id"],
    ]


def test_good_events_are_taken_beside_bad_ones_which_become_dead_letters(sender: Sender, settings: Settings) -> None:
    bad = event("purchase", None)
    body = sender.post(EVENTS, [event(), bad, event("view", "bread", user_id="eve")]).get_json()
    assert (body["accepted"], body["rejected"]) == (2, 1)
    assert body["results"][1]["event_id"] == bad["event_id"]
    assert body["results"][1]["reason"] == "item_id_missing"
    assert "item_id is missing" in body["results"][1]["detail"]
    assert Counter(record.kind for record in stored(settings)) == {EVENT: 2, DEAD_LETTER: 1}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"12", b"[" * 5_000, json.dumps([event()] * 501).encode()])
def test_a_body_that_is_no_list_of_events_is_refused_whole_and_kept(
    body: bytes, sender: Sender, settings: Settings
) -> None:
    answer = sender.post_bytes(EVENTS, body)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert [record.kind for record in stored(settings)] == [DEAD_LETTER]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml"])
def test_another_content_type_is_415(kind: str, sender: Sender) -> None:
    answer = sender.post_bytes(EVENTS, json.dumps(event()).encode(), kind)
    assert (answer.status_code, answer.content_type) == (415, "application/problem+json")


def test_gzip_is_taken_and_another_coding_is_not(sender: Sender) -> None:
    body = json.dumps([event() for _ in range(100)]).encode()
    assert sender.post_bytes(EVENTS, gzip.compress(body), Content_Encoding="gzip").get_json()["accepted"] == 100
    assert sender.post_bytes(EVENTS, body, Content_Encoding="br").status_code == 415
    for broken in (body, gzip.compress(body)[:-9], gzip.compress(body) + b"more", b""):
        assert sender.post_bytes(EVENTS, broken, Content_Encoding="gzip").status_code == 400


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_body_beyond_the_bound_is_413(coding: str, sender: Sender) -> None:
    def status(size: int) -> int:
        text = json.dumps(event()).encode()
        body = text + b" " * (size - len(text))
        sent = gzip.compress(body) if coding == "gzip" else body
        return sender.post_bytes(EVENTS, sent, Content_Encoding=coding).status_code

    assert [status(MAX_BODY_BYTES), status(MAX_BODY_BYTES + 1), status(1_000_000)] == [202, 413, 413]


def test_a_gzip_bomb_is_cut_at_the_bound(sender: Sender) -> None:
    bomb = gzip.compress(b" " * 200_000_000)
    assert len(bomb) < MAX_BODY_BYTES
    started = time.process_time()
    assert sender.post_bytes(EVENTS, bomb, Content_Encoding="gzip").status_code == 413
    assert time.process_time() - started < 0.5


def test_only_a_key_that_may_write_is_heard(app: Flask, keys: Keys) -> None:
    client = app.test_client()
    basic = {"auth": (keys.write, "")}
    assert client.post(EVENTS, json=event(), **basic).status_code == 202
    for header in ({"X-API-Key": keys.admin}, {"Authorization": f"Bearer {keys.write}"}):
        assert client.post(EVENTS, json=event(), headers=header).status_code == 202
    unknown = (
        None,
        "",
        "x",
        keys.write[:-1],
        keys.write + "x",
        "hr_00000000_x",
        "hr_é_",
        keys.write.replace("hr_", "HR_"),
    )
    for text in unknown:
        answer = client.post(EVENTS, json=event(), headers={"Authorization": f"Bearer {text}"} if text else {})
        assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    answer = client.post(EVENTS, json=event(), headers={"X-API-Key": keys.read})
    assert (answer.status_code, answer.get_json()["type"]) == (403, "/docs#forbidden")
    assert "this needs events:write" in answer.get_json()["detail"]


def test_a_key_that_sends_too_much_is_told_to_wait(
    settings: Settings, keys: Keys, lists: redis.Redis, open_app: OpenApp
) -> None:
    app = open_app(replace(settings, key_events_per_second=20, workers=2))
    sender, other = Sender(app.test_client(), keys.write), Sender(app.test_client(), keys.admin)
    assert sender.post(EVENTS, [event() for _ in range(30)]).status_code == 202
    answer = sender.post(EVENTS, event())
    assert (answer.status_code, answer.get_json()["type"]) == (429, "/docs#too-many-requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 4
    assert other.post(EVENTS, event()).status_code == 202


def test_someone_anonymous_is_known_by_their_id_until_they_log_in(sender: Sender) -> None:
    bought = event("purchase", "bread", user_id="", anonymous_id="a1")
    del bought["user_id"]
    sender.post(EVENTS, bought)
    assert "bread" not in sender.items("anon:a1")
    assert "bread" in sender.items("ada")
    sender.post(EVENTS, event("page", None, anonymous_id="a1"))
    assert "bread" not in sender.items("ada")


def test_a_browser_may_ask_before_it_posts(settings: Settings, lists: redis.Redis, open_app: OpenApp) -> None:
    client = open_app(replace(settings, cors_origins="https://shop.example")).test_client()
    allowed = client.options(EVENTS, headers={"Origin": "https://shop.example"}).headers
    assert "X-API-Key" in allowed["Access-Control-Allow-Headers"]
    assert "POST" in allowed["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Headers" not in client.options(EVENTS, headers={"Origin": "https://x.example"}).headers


def test_verdicts_are_counted(sender: Sender, app: Flask) -> None:
    one = event()
    sender.post(EVENTS, [one, one, event("purchase", None)])
    text = services_of(app).metrics.exposition().decode()
    for status in ("accepted", "duplicate", "rejected"):
        assert f'headrace_events_total{{status="{status}"}} 1.0' in text


def test_a_shown_list_is_stored_and_leaves_no_trace_in_the_session(sender: Sender, settings: Settings) -> None:
    shown = event("impression", None, recommendation_id="r", item_ids=["apple", "bread"])
    body = sender.post(EVENTS, shown).get_json()
    assert (body["accepted"], "seq" in body["results"][0]) == (1, False)
    assert "X-Headrace-Seq" not in sender.client.get("/v1/recommendations/ada").headers
    assert [record.kind for record in stored(settings)] == ["impression"]


def test_what_nobody_can_take_is_put_off_and_not_acknowledged(
    settings: Settings, keys: Keys, lists: redis.Redis, open_app: OpenApp
) -> None:
    full_stream = replace(settings, stream_max_bytes=1)
    no_room = replace(settings, stream_url="redis://127.0.0.1:1/0", spool_max_bytes=1, root=settings.root)
    for harmed in (full_stream, no_room):
        sender = Sender(open_app(harmed).test_client(), keys.write)
        answers = [sender.post(EVENTS, event("purchase", "apple")) for _ in range(4)]
        assert answers[-1].status_code == 503
        assert answers[-1].get_json()["type"] == "/docs#events-put-off"
        assert int(answers[-1].headers["Retry-After"]) >= 1
    assert 'id="events-put-off"' in sender.client.get("/docs").text

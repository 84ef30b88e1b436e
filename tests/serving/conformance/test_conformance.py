"""The fast path and Flask alone give the same bytes, headers and metrics, and both give the right ones."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from flask import Flask
from werkzeug.test import TestResponse

from contracts.answers import SOURCE_HEAD
from contracts.redis_layout import DELISTED, DELISTED_MARK, overlay_key
from contracts.settings import Settings
from serving.app import create_app, create_flask, services_of
from serving.inference.messages import TailAsk
from serving.on_demand import MemoryAnswers
from serving.services import open_services
from tests.serving.conformance.cases import BOUGHT, CASES, LIVE, PAGED, VIEWED, Case
from tests.serving.published import HEAD_USERS, Version

COUNT = re.compile(r"^headrace_request_seconds_count\{(.*)\} (.*)$", re.MULTILINE)


@pytest.fixture
def layers(lists: redis.Redis, settings: Settings) -> Iterator[tuple[Flask, Flask]]:
    """The application with its fast path, and Flask alone."""
    settings = replace(settings, cors_origins="https://shop.example")
    pair = create_app(settings), create_flask(open_services(settings))
    yield pair
    for app in pair:
        services_of(app).close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_both_layers_answer_alike(case: Case, layers: tuple[Flask, Flask], lists: redis.Redis) -> None:
    prepare(case, lists)
    first, second = (ask(app, case) for app in layers)
    assert (first.status_code, first.data) == (second.status_code, second.data)
    assert headers_of(first) == headers_of(second)
    assert counts(layers[0]) == counts(layers[1])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_the_answer_and_its_count_are_right(case: Case, layers: tuple[Flask, Flask], lists: redis.Redis) -> None:
    prepare(case, lists)
    answer = ask(layers[0], case)
    assert answer.status_code == case.status
    assert answer.headers.get("X-Headrace-Seq", "") == case.seq
    assert answer.content_type == ("application/json" if case.status == 200 else "application/problem+json")
    if case.method == "GET":
        assert json.loads(answer.data).get("source", "none") == case.source
    [labels] = counts(layers[0])
    assert f'source="{case.source}"' in labels
    assert f'status="{case.status}"' in labels


@pytest.mark.parametrize("user_id", HEAD_USERS)
def test_stored_bytes_are_handed_through_unchanged(user_id: str, layers: tuple[Flask, Flask]) -> None:
    for app in layers:
        assert app.test_client().get(f"/v1/recommendations/{user_id}").data == Version().answer(user_id, SOURCE_HEAD)


def test_the_age_is_that_of_the_version(layers: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    generated_epoch = services_of(layers[0]).store.pin(0.0).generated_epoch
    monkeypatch.setattr("time.time", lambda: generated_epoch + 90.5)
    ages = [app.test_client().get("/v1/recommendations/ada").headers["Age"] for app in layers]
    assert ages == ["90", "90"]


@pytest.mark.parametrize(
    ("overlay", "delisted"),
    [(b"", ""), (PAGED, ""), (VIEWED, ""), (LIVE, ""), (BOUGHT, ""), (b"{}", ""), (b"", "zebra"), (b"", "apple")],
)
def test_plain_look_ups_leave_flask_aside(
    overlay: bytes, delisted: str, layers: tuple[Flask, Flask], lists: redis.Redis
) -> None:
    prepare(Case("", "", overlaid="ada" if overlay else "", overlay=overlay, delisted=delisted), lists)
    for app, seen_by_flask in zip(layers, ([], ["ada"]), strict=True):
        seen = seen_by(app)
        app.test_client().get("/v1/recommendations/ada")
        assert seen == seen_by_flask


@pytest.mark.parametrize("query", ["limit=2", "placement=cart", "debug=timings", "utm_source=mail"])
def test_what_has_parameters_is_left_to_flask(query: str, app: Flask) -> None:
    seen = seen_by(app)
    app.test_client().get(f"/v1/recommendations/ada?{query}")
    assert seen == ["ada"]


def test_a_failure_before_flask_is_told_by_flask(lists: redis.Redis, settings: Settings) -> None:
    def break_down(_ask: TailAsk) -> tuple[str, ...]:
        raise RuntimeError("a defect of ours, of no kind that is expected")

    broken = create_app(settings, MemoryAnswers(break_down))
    response = broken.test_client().get("/v1/recommendations/known")
    services_of(broken).close()
    assert (response.status_code, response.content_type) == (500, "application/problem+json")
    [labels] = counts(broken)
    assert 'status="500"' in labels


def test_a_person_is_read_once(app: Flask, lists: redis.Redis) -> None:
    before = lists.info("commandstats")["cmdstat_mget"]["calls"]
    app.test_client().get("/v1/recommendations/nobody")
    assert lists.info("commandstats")["cmdstat_mget"]["calls"] == before + 1


def seen_by(app: Flask) -> list[str]:
    """What reaches Flask from now on."""
    seen: list[str] = []
    app.before_request_funcs.setdefault(None, []).append(lambda: seen.append("ada"))
    return seen


def prepare(case: Case, lists: redis.Redis) -> None:
    """Bring about what the case needs."""
    if case.overlaid:
        lists.set(overlay_key(case.overlaid), case.overlay)
    if case.delisted:
        lists.sadd(DELISTED, case.delisted)
        lists.set(DELISTED_MARK, "a mark")


def ask(app: Flask, case: Case) -> TestResponse:
    """Send one request of the table."""
    headers = {"Origin": case.origin} if case.origin else {}
    return app.test_client().open(f"{case.path}?{case.query}", method=case.method, headers=headers)


def headers_of(answer: TestResponse) -> list[tuple[str, str]]:
    """Headers but the age, which may turn over between two requests."""
    return sorted((name, value) for name, value in answer.headers if name != "Age")


def counts(app: Flask) -> list[str]:
    """Labels of what was counted, once for each time."""
    text = services_of(app).metrics.exposition().decode()
    return [labels for labels, count in COUNT.findall(text) for _ in range(int(float(count)))]

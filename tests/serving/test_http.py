"""Errors are JSON problems, the API's description is true, and browsers are told what they may do."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from flask import Flask

from contracts.settings import Settings
from tests.serving.conftest import OpenApp

NEVER_IMPORTED = ("pandas", "pyarrow", "implicit", "lightgbm", "lleaves", "pyspark", "airflow", "torch", "scipy")
PROBLEMS = [
    ("/v1/recommendations/ada?limit=0", 400, "limit is '0'; it takes a whole number from 1 to 500"),
    ("/v1/recommendations/ada?placement=atic", 400, "placement 'atic' is unknown; known ones are home, up_next,"),
    ("/v1/items/a%2Fb/similar", 400, "ids in a path hold no slash"),
    ("/v1/items/a/b/similar", 400, "ids in a path hold no slash"),
    ("/v1/items/" + "x" * 10_000 + "/similar", 400, "item_id has 10000 bytes; it takes 1 to 256"),
    ("/v1/popular?region=north&category=dairy", 400, "region and category were both given"),
    ("/v1/popular?region=" + "x" * 300, 400, "region has 300 bytes"),
    ("/v1/items//similar", 404, ""),
    ("/v2/anything", 404, ""),
]


@pytest.mark.parametrize(("path", "status", "detail"), PROBLEMS)
def test_a_bad_request_is_a_problem(app: Flask, path: str, status: int, detail: str) -> None:
    response = app.test_client().get(path)
    problem = response.get_json()
    assert (response.status_code, response.content_type) == (status, "application/problem+json")
    assert (problem["status"], problem["title"]) == (status, {400: "Bad Request", 404: "Not Found"}[status])
    assert detail in problem["detail"]


def test_a_wrong_method_says_which_are_allowed(app: Flask) -> None:
    response = app.test_client().post("/v1/popular")
    assert (response.status_code, response.content_type) == (405, "application/problem+json")
    assert "GET" in response.headers["Allow"]


def test_a_failure_of_ours_tells_nothing_of_the_inside(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("the secret of the house")

    response = app.test_client().get("/broken")
    assert (response.status_code, response.content_type) == (500, "application/problem+json")
    assert "secret" not in response.text
    assert "secret" in caplog.text


def test_every_kind_of_problem_has_its_place_on_the_page(app: Flask) -> None:
    page = app.test_client().get("/docs").text
    kinds = {app.test_client().get(path).get_json()["type"] for path, _, _ in PROBLEMS}
    kinds |= {app.test_client().post("/v1/popular").get_json()["type"]}
    for kind in kinds:
        assert f'id="{kind.removeprefix("/docs#")}"' in page


def test_the_description_names_every_route_and_no_other(app: Flask) -> None:
    described = app.test_client().get("/openapi.json").get_json()
    assert described["openapi"].startswith("3.1")
    routes = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    operations = {
        (method, path): operation["operationId"]
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    assert operations == routes


@pytest.mark.parametrize(
    "path", ["recommendations/ada", "recommendations/nobody", "popular", "items/apple/similar", "trending"]
)
def test_answers_have_the_described_fields(app: Flask, path: str) -> None:
    described = app.test_client().get("/openapi.json").get_json()["components"]["schemas"]["Answer"]
    answer = app.test_client().get(f"/v1/{path}").get_json()
    assert set(answer) == set(described["required"]) == set(described["properties"]) - {"timings_ms"}
    assert answer["source"] in described["properties"]["source"]["enum"]
    item = described["properties"]["items"]["items"]
    assert all(set(row) == set(item["required"]) for row in answer["items"])


def test_described_problems_have_the_fields_that_are_sent(app: Flask) -> None:
    described = app.test_client().get("/openapi.json").get_json()["components"]["schemas"]["Problem"]
    assert set(app.test_client().get("/nowhere").get_json()) == set(described["required"])


def test_the_page_fetches_nothing_from_elsewhere(app: Flask) -> None:
    page = app.test_client().get("/docs").text
    assert not re.findall(r"""(?:src|href|fetch|import)\W{1,3}(?:https?:)?//""", page)


@pytest.mark.parametrize("path", ["/v1/recommendations/ada", "/v1/popular", "/v1/popular?limit=0"])
def test_only_allowed_origins_may_call_from_a_browser(
    path: str, settings: Settings, lists: object, open_app: OpenApp
) -> None:
    client = open_app(replace(settings, cors_origins="https://a.example, https://b.example")).test_client()
    headers = [client.get(path, headers={"Origin": f"https://{name}.example"}).headers for name in "abc"]
    allowed = [found.get("Access-Control-Allow-Origin") for found in headers]
    assert allowed == ["https://a.example", "https://b.example", None]
    assert [found["Vary"] for found in headers] == ["Origin"] * 3


def test_any_origin_may_call_when_the_setting_says_so(settings: Settings, lists: object, open_app: OpenApp) -> None:
    client = open_app(replace(settings, cors_origins="*")).test_client()
    response = client.get("/v1/recommendations/ada", headers={"Origin": "https://a.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_no_origin_may_call_by_default(app: Flask) -> None:
    response = app.test_client().get("/v1/recommendations/ada", headers={"Origin": "https://a.example"})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_metrics_tell_failures_breaker_and_age(app: Flask) -> None:
    app.test_client().get("/v1/recommendations/ada")
    text = app.test_client().get("/metrics").text
    count = 'headrace_request_seconds_count{route="recommendations",source="head",status="200"} 1.0'
    for line in (count, "headrace_breaker_open 0.0", 'headrace_redis_failures_total{kind="deadline"} 0.0'):
        assert line in text
    age = re.search(r"^headrace_list_age_seconds (\S+)$", text, re.MULTILINE)
    assert age is not None
    assert float(age.group(1)) > 0


def test_serving_imports_no_heavy_library() -> None:
    code = f"import sys, serving.app; print([name for name in {NEVER_IMPORTED!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout.replace("'", '"')) == []

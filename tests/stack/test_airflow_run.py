"""The hour as Airflow runs it: trained, scheduled, looked up over HTTP, made again without going back."""

import sys
import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from contracts.lake_notes import dirty_hours, mark_dirty, marked_at_ns
from contracts.pipeline import BACKFILL_POOL, LIVE_POOL, POOL_SLOTS, PUBLISHER_POOL
from dags.late_runs import LATE
from headrace.airflow_api import wait_for_run
from headrace.run_progress import describe_jobs, task_log
from tests.dags.webhooks import Webhook
from tests.stack.local_airflow import (
    HOURLY,
    LATE_EVENTS,
    RETENTION,
    RUN_SECONDS,
    TRAINING,
    LocalAirflow,
    free_port,
)
from tests.worlds import BREAD, event_row, write_events

pytestmark = [pytest.mark.airflow, pytest.mark.spark]


def test_the_schedule_runs_the_last_complete_hour_and_publishes_it(airflow: LocalAirflow, live: dict[str, Any]) -> None:
    assert (live["state"], live["run_type"]) == ("success", "scheduled"), airflow.explain(live["dag_run_id"])
    pointer = airflow.pointer()
    assert pointer is not None and pointer.interval >= airflow.hour.key
    pools = {task["task_id"]: task["pool"] for task in airflow.api.tasks(HOURLY, live["dag_run_id"])}
    assert pools.pop("publish") == PUBLISHER_POOL and set(pools.values()) == {LIVE_POOL}


def test_task_logs_show_rows_and_seconds(airflow: LocalAirflow, live: dict[str, Any]) -> None:
    logs = airflow.settings.root / "logs" / "airflow"
    for task in airflow.api.tasks(HOURLY, live["dag_run_id"]):
        assert " rows" in describe_jobs(task_log(logs, task)), task["task_id"]
    shown = f"/dags/{HOURLY}/dagRuns/{quote(live['dag_run_id'])}/taskInstances/score_head/logs/1"
    assert "event=job_done job=score_head" in str(airflow.api.ask("GET", shown))


def test_a_head_user_is_looked_up_over_http(airflow: LocalAirflow, live: dict[str, Any]) -> None:
    bind = f"127.0.0.1:{free_port()}"
    serve = airflow.processes.start("serve", [sys.executable, "-m", "headrace", "serve", "--bind", bind])
    deadline = time.monotonic() + 60
    while not is_ready(f"http://{bind}/readyz"):
        assert serve.process.poll() is None and time.monotonic() < deadline, serve.log.read_text()
        time.sleep(0.2)
    answer = httpx.get(f"http://{bind}/v1/recommendations/b0", params={"limit": 5}).json()
    assert answer["source"] == "head" and len(answer["items"]) == 5
    pointer = airflow.pointer()
    assert pointer is not None and answer["version"] == pointer.version


def test_a_past_hour_is_made_again_among_backfills_and_what_serves_does_not_go_back(
    airflow: LocalAirflow, made_again: dict[str, Any]
) -> None:
    run, before, after = made_again["run"], made_again["before"], made_again["after"]
    assert (run["state"], run["run_type"]) == ("success", "backfill"), airflow.explain(run["dag_run_id"])
    for task in airflow.api.tasks(HOURLY, run["dag_run_id"]):
        assert task["pool"] == (PUBLISHER_POOL if task["task_id"] == "publish" else BACKFILL_POOL)
    assert {"lists", "popular", "similar", "segments"} <= made_again["digests"].keys()
    assert after.interval >= before.interval


def test_an_hour_with_late_events_is_made_again_once_and_what_serves_does_not_go_back(
    airflow: LocalAirflow, made_again: dict[str, Any]
) -> None:
    lake, key = airflow.settings.root / "lake", airflow.past_hour(2).key
    write_events(airflow.settings.root, [event_row("late", "b0", BREAD, at=airflow.past_hour(2).start_at)])
    mark_dirty(lake, key)
    before, run_id = airflow.pointer(), f"late__{key}__{marked_at_ns(lake, key)}"
    airflow.api.unpause(LATE_EVENTS)
    for _ in range(2):  # asked twice, the hour is made again once
        asked = airflow.api.trigger(LATE_EVENTS, {"start": airflow.hour.key})
        assert wait_for_run(airflow.api, LATE_EVENTS, asked, seconds=300) == "success", airflow.explain(asked)
    names = [run["dag_run_id"] for run in airflow.api.runs(HOURLY)]
    assert [name for name in names if name.startswith(LATE)] == [run_id]
    assert wait_for_run(airflow.api, HOURLY, run_id, seconds=RUN_SECONDS) == "success", airflow.explain(run_id)
    pools = {task["task_id"]: task["pool"] for task in airflow.api.tasks(HOURLY, run_id)}
    assert pools.pop("publish") == PUBLISHER_POOL and set(pools.values()) == {BACKFILL_POOL}
    assert dirty_hours(lake) == {}
    assert airflow.digests(2)["interactions"] != made_again["digests"]["interactions"]
    after = airflow.pointer()
    assert before is not None and after is not None and after.interval >= before.interval


def test_a_viewer_looks_and_does_not_touch(airflow: LocalAirflow) -> None:
    start_at = airflow.hour.start_at.isoformat()
    touches = (
        ("POST", f"/dags/{HOURLY}/dagRuns", {"logical_date": None, "conf": {}}),
        ("POST", "/backfills", {"dag_id": HOURLY, "from_date": start_at, "to_date": start_at}),
        ("PATCH", f"/dags/{HOURLY}", {"is_paused": True}),
        ("PATCH", f"/pools/{PUBLISHER_POOL}", {"slots": 5}),
    )
    with airflow.viewer() as viewer:
        assert viewer.client.get(f"/dags/{HOURLY}").status_code == httpx.codes.OK
        for method, path, body in touches:
            assert viewer.client.request(method, path, json=body).status_code == httpx.codes.FORBIDDEN, path


def test_strangers_are_not_let_in(airflow: LocalAirflow) -> None:
    assert httpx.get(f"{airflow.home.url}/api/v2/dags").status_code == httpx.codes.UNAUTHORIZED
    wrong = httpx.post(f"{airflow.home.url}/auth/token", json={"username": "admin", "password": "admin"})
    assert wrong.status_code == httpx.codes.UNAUTHORIZED


def test_pools_have_their_slots(airflow: LocalAirflow) -> None:
    found = {pool["name"]: pool["slots"] for pool in airflow.api.ask("GET", "/pools")["pools"]}
    assert found == POOL_SLOTS


def test_a_failed_run_reaches_the_webhook_and_says_what_to_do(airflow: LocalAirflow, webhook: Webhook) -> None:
    airflow.api.unpause(TRAINING)
    run_id = airflow.api.trigger(TRAINING, {})
    assert wait_for_run(airflow.api, TRAINING, run_id, seconds=120) == "failed"
    first = next(task for task in airflow.api.tasks(TRAINING, run_id) if task["state"] == "failed")
    assert first["try_number"] == 1  # what cannot be cured by waiting is not tried again
    assert "trigger it again with start" in airflow.log_of(TRAINING, run_id, first["task_id"])
    deadline = time.monotonic() + 60
    while run_id not in [post["run_id"] for post in webhook.posts]:
        assert time.monotonic() < deadline, f"posted were {webhook.posts}"
        time.sleep(0.5)


def test_retention_cleans_lake_and_history(airflow: LocalAirflow) -> None:
    airflow.api.unpause(RETENTION)
    run_id = airflow.api.trigger(RETENTION, {"start": airflow.past_hour(24).key})
    assert wait_for_run(airflow.api, RETENTION, run_id, seconds=300) == "success"


def is_ready(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.HTTPError:
        return False

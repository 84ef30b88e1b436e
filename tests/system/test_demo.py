"""The demo as a new user meets it: ready, looked up, backfilled in the real UI, stopped without a trace."""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psutil
import pyarrow.parquet as pq
import pytest

from contracts.intervals import Interval
from contracts.lake import DEAD_LETTERS, EVENT_ID, EVENTS, REASON, Table
from contracts.manifest import Manifest
from headrace.airflow_api import AirflowApi
from headrace.processes import members
from tests.system.browser import fill_backfill_form, keep_screenshot, logged_in
from tests.system.running_demo import STOP_SECONDS, RunningDemo, demo_command, running_demo

pytestmark = [pytest.mark.system, pytest.mark.airflow, pytest.mark.spark]
HOURLY, BACKFILLS = "hourly_recommendations", "/api/v2/backfills"
OWN_SOURCES = ("head", "on_demand")  # the stored list, or one computed since the person did something
BACKFILLED, BACKFILL_SECONDS = 6, 3_600.0
ARCHIVE_SECONDS = 60.0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """A demo that is ready; at the end Ctrl-C must end it and all that it started."""
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        running.wait_for(r"Ctrl-C stops everything")
        yield running
        assert running.interrupt() == (0, [])


def airflow_of(demo: RunningDemo) -> tuple[str, dict[str, str]]:
    """URL and passwords as the demo prints them."""
    url = demo.wait_for(r"Airflow is at (\S+): ")[1]
    return url, {user: demo.wait_for(rf"{user} / (\S+) may")[1] for user in ("admin", "viewer")}


def test_its_curl_lines_work_and_name_a_real_head_user(demo: RunningDemo) -> None:
    urls = re.findall(r"curl -s '(\S+)'", demo.text())
    assert len(urls) == 3
    answers = [httpx.get(url) for url in urls]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json()["source"] == "head" and len(answers[0].json()["items"]) == 5
    assert answers[0].json()["recommendation_id"] in demo.text()


def test_progress_tells_each_task_with_its_rows(demo: RunningDemo) -> None:
    for task in ("build_training_set", "train_ranker", "build_features", "score_head", "publish"):
        assert re.search(rf"✓ {task} +[\d.]+ s  .*\d rows", demo.text()), task


def test_a_second_one_says_that_it_runs_already_and_where(demo: RunningDemo) -> None:
    second = subprocess.run(
        demo_command(), env=demo.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 2
    assert f"already running as process {demo.process.pid}: lists at http://127.0.0.1:" in second.stderr


def test_one_of_another_root_names_the_port_that_is_in_use(demo: RunningDemo, tmp_path: Path) -> None:
    second = subprocess.run(
        demo_command("--root", str(tmp_path)),
        env=demo.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2
    assert "wanted by the HTTP server, is in use" in second.stderr and "HEADRACE_AIRFLOW_PORT" in second.stderr


def test_an_analyst_backfills_six_hours_in_the_form_while_lists_are_served(demo: RunningDemo) -> None:
    url, passwords = airflow_of(demo)
    last = Interval.ending_at(demo.hour.start_at)
    first = Interval.ending_at(last.end_at - timedelta(hours=BACKFILLED - 1))
    started = time.time()
    with looked_up(demo) as seen, logged_in(url, f"/dags/{HOURLY}", user="admin", password=passwords["admin"]) as page:
        fill_backfill_form(page, first.start_at, last.start_at)
        keep_screenshot(page, "airflow-backfill-form")
        page.get_by_role("button", name="Run Backfill").click()
        with AirflowApi.log_in(url, "admin", passwords["admin"]) as api:
            runs = finished_backfill(api)
        page.goto(f"{url}/dags/{HOURLY}/backfills")
        page.get_by_text("Completed").first.wait_for()
        keep_screenshot(page, "airflow-backfill-done")
    assert [run["state"] for run in runs] == ["success"] * BACKFILLED
    assert sorted(run["data_interval_start"][:13] for run in runs)[0] == first.key
    for run in runs:
        folder = demo.root / "lake" / "lists" / f"interval={run['data_interval_start'][:13]}"
        assert Manifest.read(folder, made_by="the backfill").rows > 0
        assert (folder / "_manifest.json").stat().st_mtime > started
    assert seen.failures == [] and len(seen.hours) > 0
    assert seen.hours == sorted(seen.hours), "what serves went back to an older hour"


def test_redis_killed_under_it_comes_back_with_its_lists_and_no_answer_but_200(demo: RunningDemo) -> None:
    url = demo.wait_for(r"curl -s '(\S+)'")[1]
    with looked_up(demo) as seen:
        listener(demo, "HEADRACE_REDIS_URL").kill()
        demo.wait_for(r"serves the lists of the hour that served last", seconds=60)
        deadline = time.monotonic() + 10
        while httpx.get(url).json()["source"] not in OWN_SOURCES:
            assert time.monotonic() < deadline, "lists do not come back"
    assert seen.failures == []


def test_a_bought_item_is_gone_from_the_next_look_up_and_the_purchase_is_in_the_lake_once(demo: RunningDemo) -> None:
    command = demo.wait_for(r"(curl -s -X POST .*)")[1]
    url, item = demo.wait_for(r"curl -s '(\S+)'")[1], re.search(r'"item_id":"(.*?)"', command)[1]
    assert item in re.search(r"The first one answers:\n(.*)", demo.text())[1]
    for _ in range(2):  # impatient people press twice
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
        assert json.loads(done.stdout)["rejected"] == 0, done.stdout
    answer = httpx.get(url).json()
    assert answer["source"] in OWN_SOURCES and len(answer["items"]) == 5
    assert item not in [one["item_id"] for one in answer["items"]]
    event_id = re.search(r'"event_id":"(.*?)"', command)[1]
    assert rows_in_lake(demo, EVENTS, EVENT_ID, event_id) == 1


def test_the_stream_killed_under_it_comes_back_and_has_lost_nothing(demo: RunningDemo) -> None:
    command = demo.wait_for(r"(curl -s -X POST .*)")[1]
    posted = []
    for number in range(20):
        if number == 10:
            listener(demo, "HEADRACE_STREAM_URL").kill()
        posted.append(str(uuid4()))
        again = re.sub(r'"event_id":".*?"', f'"event_id":"{posted[-1]}"', command)
        subprocess.run(["bash", "-c", again], capture_output=True, timeout=60, check=True)
    demo.wait_for(r"the stream's server had ended and was started again", seconds=60)
    for event_id in posted:
        assert rows_in_lake(demo, EVENTS, EVENT_ID, event_id) == 1


def test_a_malformed_event_is_found_among_the_dead_letters_with_a_reason(demo: RunningDemo) -> None:
    command = demo.wait_for(r"(curl -s -X POST .*)")[1]
    malformed = re.sub(r'"item_id":".*?",', "", command)
    done = subprocess.run(["bash", "-c", malformed], capture_output=True, text=True, timeout=60, check=True)
    assert "item_id_missing" in done.stdout
    assert rows_in_lake(demo, DEAD_LETTERS, REASON, "item_id_missing") >= 1
    listed = subprocess.run(
        [sys.executable, "-m", "headrace", "dead-letters", "list"],
        env=demo.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "item_id_missing" in listed.stdout


def test_a_viewer_is_refused_by_the_form(demo: RunningDemo) -> None:
    url, passwords = airflow_of(demo)
    hour = Interval.ending_at(demo.hour.start_at)
    with logged_in(url, f"/dags/{HOURLY}", user="viewer", password=passwords["viewer"]) as page:
        asked: list[tuple[str, int]] = []
        page.on(
            "response",
            lambda answer: asked.append((answer.request.method, answer.status)) if BACKFILLS in answer.url else None,
        )
        fill_backfill_form(page, hour.start_at, hour.start_at)
        page.wait_for_timeout(3_000)
        if (button := page.get_by_role("button", name="Run Backfill")).is_enabled():
            with page.expect_response(lambda answer: answer.request.method == "POST" and BACKFILLS in answer.url):
                button.click()
        keep_screenshot(page, "airflow-viewer-refused")
    assert {status for method, status in asked if method == "POST"} == {httpx.codes.FORBIDDEN}


def test_ctrl_c_in_the_middle_of_a_spark_task_leaves_nothing(tmp_path: Path) -> None:
    with running_demo(tmp_path) as running:
        running.wait_for(r"training the ranker")
        await_java(running)
        assert running.interrupt() == (130, [])
        assert "nothing of it is left running" in running.text()


def test_a_component_that_dies_is_named_and_takes_the_rest_along(tmp_path: Path) -> None:
    with running_demo(tmp_path) as running:
        running.wait_for(r"Redis listens at")
        server = await_http_server(running)
        below = psutil.Process(running.process.pid).children(recursive=True)
        server.kill()
        assert running.process.wait(STOP_SECONDS * 3) == 2
        assert re.search(r"serve ended by itself with exit code -9; see \S+serve\.log", running.text())
        assert psutil.wait_procs(below, timeout=5)[1] == processes_of(running) == []


def await_http_server(demo: RunningDemo) -> psutil.Process:
    """Wait for the component that serves, whatever title it has by then."""
    deadline = time.monotonic() + 120
    while True:
        for process in psutil.Process(demo.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if re.search(r"headrace serve|gunicorn: master", " ".join(process.cmdline())):
                    return process
        assert demo.process.poll() is None and time.monotonic() < deadline, demo.text()
        time.sleep(0.1)


class Seen:
    """What look-ups saw: hours in the order they came, and answers that were no list."""

    def __init__(self) -> None:
        self.hours: list[str] = []
        self.failures: list[str] = []


@contextmanager
def looked_up(demo: RunningDemo) -> Iterator[Seen]:
    """Look a head user up, over and over, until the block ends."""
    url, seen, over = demo.wait_for(r"curl -s '(\S+)'")[1], Seen(), threading.Event()

    def look_up() -> None:
        with httpx.Client() as client:
            while not over.wait(0.05):
                answer = client.get(url)
                if answer.status_code != httpx.codes.OK:
                    seen.failures.append(f"{answer.status_code} {answer.text}")
                elif (hour := answer.json()["version"].partition(".")[0]) not in seen.hours[-1:]:
                    seen.hours.append(hour)

    thread = threading.Thread(target=look_up)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def finished_backfill(api: AirflowApi) -> list[dict[str, Any]]:
    """Wait for the newest backfill, and return its runs."""
    deadline = time.monotonic() + BACKFILL_SECONDS
    while True:
        found = api.ask("GET", "/backfills", params={"dag_id": HOURLY})["backfills"]
        if found and all(backfill["completed_at"] for backfill in found):
            return [run for run in api.runs(HOURLY) if run["run_type"] == "backfill"]
        assert time.monotonic() < deadline, f"the backfill does not end: {found}"
        time.sleep(1)


def listener(demo: RunningDemo, setting: str) -> psutil.Process:
    """The server of the demo that listens where a setting says."""
    port = urlsplit(demo.environment[setting]).port
    for process in psutil.Process(demo.process.pid).children(recursive=True):
        if any(link.status == psutil.CONN_LISTEN and link.laddr.port == port for link in process.net_connections()):
            return process
    raise AssertionError(f"nothing of the demo listens at {demo.environment[setting]}")


def rows_in_lake(demo: RunningDemo, table: Table, column: str, value: str) -> int:
    """Rows of today's or yesterday's hours with a value in a column, once there is one."""
    deadline = time.monotonic() + ARCHIVE_SECONDS
    while True:
        files = sorted(table.path(demo.root / "lake").glob("*/*/*.parquet"))[-200:]
        try:
            columns = [pq.read_table(file, columns=[column], partitioning=None)[column] for file in files]
        except FileNotFoundError:  # replaced by the archiver meanwhile
            continue
        found = sum(one.to_pylist().count(value) for one in columns)
        if found:
            return found
        assert time.monotonic() < deadline, f"{table.name} has no {column} {value}"
        time.sleep(0.5)


def processes_of(demo: RunningDemo) -> list[Any]:
    """Everything that the demo has started and that still runs."""
    return members(demo.root, ())


def await_java(demo: RunningDemo) -> None:
    """Wait until a task's Spark driver runs."""
    deadline = time.monotonic() + 300
    while not any(process.name() == "java" for process in processes_of(demo)):
        assert demo.process.poll() is None and time.monotonic() < deadline, demo.text()
        time.sleep(0.2)

"""The whole way of a tail request with real processes, and with inference stopped, gone on and killed: always a 200."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from contracts.settings import Settings
from headrace.embedded_redis import EmbeddedRedis
from serving.api_keys import EVENTS_WRITE, create_key, keys_file
from tests.serving.inference_world import HOUR, KNOWN, Running, run_inference, write_hour
from tests.serving.published import INTERVAL, Version, publish
from tests.serving.running_server import Server, run_server
from tests.serving.senders import event

RECOVERY_SECONDS = 60.0
TAIL, HEAD = f"/v1/recommendations/{KNOWN}", "/v1/recommendations/ada"


@dataclass(frozen=True, slots=True)
class Whole:
    """A server and its inference, on one root."""

    server: Server
    inference: Running
    key: str

    def ask(self, path: str = TAIL) -> dict[str, Any]:
        """The answer to a look-up, which is a 200."""
        status, _, body = self.server.get(path)
        assert status == 200
        answer: dict[str, Any] = json.loads(body)
        return answer

    def await_source(self, source: str, path: str = TAIL) -> dict[str, Any]:
        """Ask until the answer has that source; every answer on the way is a 200."""
        until = time.monotonic() + RECOVERY_SECONDS
        while (answer := self.ask(path))["source"] != source:
            assert time.monotonic() < until, f"{answer['reason']}\n{self.inference.log.read_text()}"
            time.sleep(0.05)
        return answer

    def sources(self, count: int) -> Counter[str]:
        """Sources of many answers at once."""
        with ThreadPoolExecutor(8) as pool:
            return Counter(answer["source"] for answer in pool.map(lambda _: self.ask(), range(count)))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole of inference."""
        os.killpg(self.inference.process.pid, number)


@pytest.fixture
def whole(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[Whole]:
    assert HOUR == INTERVAL  # the lists and the models are of the same hour
    with redis.Redis.from_url(redis_server.url) as client:
        publish(client)
    urls = {"redis_url": redis_server.url, "stream_url": redis_server.url}
    settings = Settings(root=tmp_path, **urls)
    write_hour(tmp_path, HOUR)
    key = create_key(keys_file(settings), "web", [EVENTS_WRITE])[0]
    given = {name.upper(): value for name, value in urls.items()}
    with run_inference(settings) as inference, run_server(tmp_path, REDIS_TIMEOUT_MS="1000", **given) as server:
        found = Whole(server, inference, key)
        found.await_source("on_demand")
        yield found


def test_tail_users_strangers_and_head_users_in_a_session_get_lists_of_now(whole: Whole) -> None:
    answer = whole.ask(f"{TAIL}?limit=5&debug=timings")
    assert (answer["source"], len(answer["items"]), answer["version"]) == ("on_demand", 5, Version().name)
    assert "known items: 0" not in answer["reason"]
    assert answer["timings_ms"]["inference"] <= answer["timings_ms"]["total"]
    first, second = (row["item_id"] for row in answer["items"][:2])
    clicked = {"event_type": "click", "item_id": first}
    status, posted = whole.server.post("/v1/recommendations", {"anonymous_id": "a1", "session": [clicked]}, "")
    assert (status, posted["source"]) == (200, "on_demand")
    assert "items of the session: 1" in posted["reason"]
    for person, path in (({"user_id": "ada"}, HEAD), ({"anonymous_id": "a2"}, "/v1/recommendations/anon:a2")):
        assert whole.ask(path)["source"] in ("head", "popular")
        posted = {**event("click", second, user_id=""), **person}
        assert whole.server.post("/v1/events", posted, whole.key)[0] == 202
        assert whole.await_source("on_demand", path)["items"]
    items = [second, "unheard", first]
    status, ranked = whole.server.post("/v1/rank", {"user_id": KNOWN, "items": items}, "")
    assert (status, ranked["source"]) == (200, "on_demand")
    assert {row["item_id"] for row in ranked["items"]} == set(items)
    assert ranked["items"][-1]["item_id"] == "unheard"


def test_stopped_inference_is_stood_in_for_and_comes_back_by_itself(whole: Whole) -> None:
    whole.signal(signal.SIGSTOP)
    assert whole.sources(40)["fallback"] >= 38  # what was asked before the stop may still have its answer
    assert whole.ask(HEAD)["source"] == "head"
    whole.signal(signal.SIGCONT)
    whole.await_source("on_demand")


def test_killed_inference_is_stood_in_for_until_it_is_started_again(whole: Whole) -> None:
    whole.signal(signal.SIGKILL)
    whole.inference.process.wait()
    assert whole.sources(40) == {"fallback": 40}
    assert whole.ask(HEAD)["source"] == "head"
    with run_inference(whole.inference.settings):
        whole.await_source("on_demand")

"""Waiting for inference holds at most a third of the threads: with a real server, and a peer that never answers."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import redis

from headrace.embedded_redis import EmbeddedRedis
from serving.on_demand import WHY_NOT
from serving.tail_client import CROWDED, UNREACHABLE
from tests.ingest.slow_peers import peer
from tests.serving.published import publish
from tests.serving.running_server import Server, run_server

HEAD, TAIL = "/v1/recommendations/ada", "/v1/recommendations/known"
THREADS, STUCK, SEATS = 8, 12, 2
LONG_MS = {"INFERENCE_TIMEOUT_MS": "60000", "REQUEST_TIMEOUT_MS": "90000", "REDIS_TIMEOUT_MS": "2000"}


def why_of(server: Server) -> str:
    """Which failure a tail request's answer names."""
    status, _, body = server.get(TAIL)
    answer = json.loads(body)
    assert (status, answer["source"]) == (200, "fallback")
    return next(kind for kind, words in WHY_NOT.items() if words in answer["reason"])


def await_end(released: threading.Event) -> None:
    """Read nothing, answer nothing, and hang up at the end."""
    released.wait()


def test_twelve_stuck_requests_leave_head_look_ups_alone(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        publish(client)
    urls = {"REDIS_URL": redis_server.url, "STREAM_URL": redis_server.url}
    released = threading.Event()
    with ExitStack() as stack, ThreadPoolExecutor(STUCK) as pool:
        silence = stack.enter_context(ExitStack())
        url = f"tcp://127.0.0.1:{silence.enter_context(peer(lambda _link: await_end(released)))}"
        size = {"WORKERS": "1", "THREADS": str(THREADS)}
        server = stack.enter_context(run_server(tmp_path, INFERENCE_URL=url, **urls, **size, **LONG_MS))
        asked = [pool.submit(why_of, server) for _ in range(STUCK)]
        looked_up = list(pool.map(lambda _: server.get(HEAD, times=20)[0], range(STUCK)))
        assert looked_up == [200] * STUCK
        assert sum(not one.done() for one in asked) == SEATS
        released.set()
        silence.close()
        assert Counter(one.result() for one in asked) == {CROWDED: STUCK - SEATS, UNREACHABLE: SEATS}

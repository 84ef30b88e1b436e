"""The whole tail path as processes: Redis, the inference service over the drawn shop, and the HTTP server."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil

from benchmarks import tail_shop
from benchmarks.lookups_world import PROJECT, Server, gunicorn, write_version
from contracts.answers import SOURCE_ON_DEMAND
from contracts.serving_model import read_serving_model
from contracts.settings import Layout
from headrace import embedded_redis
from models.candidate_bundle import CandidateBundle

THREADS, INFERENCE_WORKERS = 8, 1
READY_SECONDS = 120.0
HEAD_USERS = 2_000
CLICKS = 3


@dataclass(frozen=True, slots=True)
class TailServers:
    """The HTTP server, bare Flask under the same gunicorn, and the process of the inference service."""

    ours: Server
    bare: Server
    inference_pid: int


@contextmanager
def tail_servers(folder: Path, items: int = tail_shop.ITEMS) -> Iterator[TailServers]:
    """Start everything and wait until an answer is computed on demand; logs lie in `folder`."""
    root = tail_shop.ensure_shop(items).resolve()
    with embedded_redis.start(folder / "redis") as redis:
        write_version(redis.url, fence=1, users=HEAD_USERS)
        settings = {
            "HEADRACE_ROOT": str(root),
            "HEADRACE_REDIS_URL": redis.url,
            "HEADRACE_WORKERS": "1",
            "HEADRACE_THREADS": str(THREADS),
            "HEADRACE_INFERENCE_WORKERS": str(INFERENCE_WORKERS),
            "HEADRACE_INFERENCE_METRICS": "",
        }
        bare_settings = settings | {"HEADRACE_ROOT": str(folder / "bare")}
        with (
            _inference(settings, folder / "inference.log") as pid,
            gunicorn("serving.app:create_app()", settings, folder / "ours.log") as ours,
            gunicorn("benchmarks.lookups_bare:app", bare_settings, folder / "bare.log") as bare,
        ):
            _await_on_demand(ours, folder / "inference.log")
            yield TailServers(ours, bare, pid)


def tail_bodies(count: int, seed: int, items: int = tail_shop.ITEMS) -> list[bytes]:
    """Bodies of POST /v1/recommendations, all different: somebody of the tail and some clicks of theirs."""
    layout = Layout(tail_shop.ensure_shop(items))
    model = read_serving_model(layout, tail_shop.INTERVAL)
    shop = tail_shop.shop_of(CandidateBundle.load(model.candidates_folder(layout)))
    random = np.random.default_rng(seed)
    bodies = []
    for number in range(count):
        session = tail_shop.live_session(shop, random, CLICKS)
        pairs = zip(session.event_types, session.item_ids, strict=True)
        events = [{"event_type": kind, "item_id": item} for kind, item in pairs]
        user = tail_shop.user_name(number % tail_shop.PEOPLE)
        bodies.append(json.dumps({"user_id": user, "session": events}).encode())
    return bodies


def pin(pid: int, core: int) -> None:
    """Keep a process and its children on one core."""
    process = psutil.Process(pid)
    for member in (process, *process.children(recursive=True)):
        member.cpu_affinity([core])


@contextmanager
def _inference(settings: dict[str, str], log: Path) -> Iterator[int]:
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving.inference"],
            env={**os.environ, **settings},
            cwd=PROJECT,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _await_on_demand(server: Server, log: Path) -> None:
    body = json.dumps(
        {"user_id": tail_shop.user_name(0), "session": [{"event_type": "view", "item_id": "item-0000001"}]}
    )
    parts, deadline = urlsplit(server.url), time.monotonic() + READY_SECONDS
    answer = ""
    while time.monotonic() < deadline:
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=READY_SECONDS)
        link.request("POST", "/v1/recommendations", body, {"Content-Type": "application/json"})
        answer = link.getresponse().read().decode()
        link.close()
        if json.loads(answer).get("source") == SOURCE_ON_DEMAND:
            return
        time.sleep(0.5)
    raise TimeoutError(f"nothing was computed on demand within {READY_SECONDS} s; see {log}; last: {answer[:300]}")

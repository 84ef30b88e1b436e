"""A published version for the look-up figures: 40,000 head users with 50 items each, a Zipf draw of them, servers."""

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import accumulate
from pathlib import Path

import redis

from contracts.answers import SOURCE_HEAD, SOURCE_POPULAR, AnswerHead, encode_answer
from contracts.lake import OVERALL
from contracts.redis_layout import POINTER, Pointer, list_key, popular_key, profile_key, version_name

USERS, ITEMS_A_LIST, DRAWS = 40_000, 50, 100_000
INTERVAL, GENERATED_AT = "2026-01-31T07", "2026-01-31T08:00:00Z"
ZIPF_EXPONENT, SEED = 1.0, 7
PROJECT = Path(__file__).resolve().parents[1]
WRK_SCRIPT = Path(__file__).with_name("lookups.lua")
START_SECONDS = 30.0


def user_name(row: int) -> str:
    """Id of the user of that rank."""
    return f"user-{row:06d}"


def write_version(url: str, *, fence: int, users: int = USERS) -> str:
    """Write lists, profiles, the popular list and last the pointer; returns the version's name."""
    version = version_name(INTERVAL, fence)
    with redis.Redis.from_url(url) as client:
        pipeline = client.pipeline(transaction=False)
        for row in range(users):
            user = user_name(row)
            pipeline.set(list_key(version, user), _answer(version, user, SOURCE_HEAD, row))
            pipeline.set(profile_key(version, user), b'{"segment":"regulars","region":"north"}')
            if row % 2_000 == 1_999:
                pipeline.execute()
        pipeline.set(popular_key(version, OVERALL, ""), _answer(version, OVERALL, SOURCE_POPULAR, 0))
        pipeline.execute()
        client.set(POINTER, Pointer(version, fence, INTERVAL, GENERATED_AT).encode())
    return version


def _answer(version: str, subject: str, source: str, row: int) -> bytes:
    items = [f"{(row * 37 + rank * 101) % 20_000:07d}" for rank in range(ITEMS_A_LIST)]
    scores = [1 / (rank + 1.5) for rank in range(ITEMS_A_LIST)]
    return encode_answer(AnswerHead(subject, source, "ranked for this person", version, GENERATED_AT), items, scores)


def zipf_users(count: int = DRAWS, users: int = USERS) -> list[str]:
    """Users in the order in which they are asked for, popular ones more often (1 / rank)."""
    weights = list(accumulate(1 / (rank + 1) ** ZIPF_EXPONENT for rank in range(users)))
    return [user_name(row) for row in random.Random(SEED).choices(range(users), cum_weights=weights, k=count)]


@dataclass(frozen=True, slots=True)
class Server:
    """A running gunicorn."""

    url: str
    pid: int


@contextmanager
def gunicorn(application: str, settings: dict[str, str], log: Path) -> Iterator[Server]:
    """Run an application under serving's gunicorn configuration."""
    bind = f"127.0.0.1:{free_port()}"
    environment = {**os.environ, **settings, "HEADRACE_BIND": bind}
    command = [sys.executable, "-m", "gunicorn", "--config", "python:serving.gunicorn_conf", application]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, cwd=PROJECT, stdout=stream, stderr=stream)
    try:
        _await_ready(bind, f"/v1/recommendations/{user_name(0)}", process)
        yield Server(f"http://{bind}", process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(bind: str, path: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        link = http.client.HTTPConnection(bind, timeout=START_SECONDS)
        try:
            link.request("GET", path)
            if link.getresponse().status == HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            link.close()
    raise TimeoutError(f"gunicorn on {bind} did not come up; see its log")

"""Head look-ups while inference never answers: twelve clients that ask for tail users, on eight threads.

`python -m benchmarks.stuck_tail`; the breaker is kept from opening, because it would spare the server the waiting.
"""

import http.client
import json
import os
import socket
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import redis

from benchmarks.lookups_world import Server, gunicorn, write_version, zipf_users
from benchmarks.lookups_wrk import run_wrk
from benchmarks.report import Figure, show
from contracts.redis_layout import profile_key
from headrace import embedded_redis
from serving.on_demand import WHY_NOT
from serving.tail_client import CROWDED, LATE

CLIENTS, THREADS, PAIRS, ROUND_SECONDS, WAIT_SECONDS = 12, 8, 9, 3.0, 0.150
TAIL_USER, GOAL = "tail", 0.8
Seen = Counter[tuple[int, str]]


def main() -> None:
    """Measure rounds with and without stuck clients in turns, and keep the ratio."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hr")))
        url = stack.enter_context(embedded_redis.start(folder / "redis")).url
        version = write_version(url, fence=1)
        with redis.Redis.from_url(url) as client:
            client.set(profile_key(version, TAIL_USER), b'{"segment":"regulars","region":"north"}')
        silence = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # takes connections, and never answers
        server = stack.enter_context(
            gunicorn("serving.app:create_app()", _settings(folder, url, silence.getsockname()[1]), folder / "log")
        )
        users = folder / "users"
        users.write_text("\n".join(zipf_users()) + "\n")
        _show(*_measure(server, users))


def _settings(folder: Path, url: str, silent: int) -> dict[str, str]:
    given = {
        "ROOT": str(folder / "root"),
        "REDIS_URL": url,
        "INFERENCE_URL": f"tcp://127.0.0.1:{silent}",
        "WORKERS": "1",
        "THREADS": str(THREADS),
        "BREAKER_OPEN_MS": "1",
    }
    return {f"HEADRACE_{name}": value for name, value in given.items()}


def _measure(server: Server, users: Path) -> tuple[list[tuple[float, float]], Seen]:
    """Look-ups a second with and without stuck clients, pair by pair, and what the clients saw."""
    pairs, seen = [], Seen()
    run_wrk(server.url, users, ROUND_SECONDS, server.pid)
    for _ in range(PAIRS):
        with _stuck_clients(server.url, seen):
            beside = run_wrk(server.url, users, ROUND_SECONDS, server.pid)
        alone = run_wrk(server.url, users, ROUND_SECONDS, server.pid)
        if beside.not_ok or alone.not_ok or beside.socket_errors or alone.socket_errors:
            raise RuntimeError("wrk saw answers other than 2xx, or socket errors")
        pairs.append((beside.requests_a_second, alone.requests_a_second))
    return pairs, seen


@contextmanager
def _stuck_clients(url: str, seen: Seen) -> Iterator[None]:
    stopped = threading.Event()
    clients = [threading.Thread(target=_ask, args=(url, seen, stopped)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    yield
    stopped.set()
    for client in clients:
        client.join()


def _ask(url: str, seen: Seen, stopped: threading.Event) -> None:
    """Ask, and again as soon as a stuck answer would be there."""
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    while not stopped.is_set():
        again_at = time.monotonic() + WAIT_SECONDS
        link.request("GET", f"/v1/recommendations/{TAIL_USER}")
        response = link.getresponse()
        reason = json.loads(response.read())["reason"]
        seen[response.status, next((kind for kind, words in WHY_NOT.items() if words in reason), "")] += 1
        stopped.wait(again_at - time.monotonic())
    link.close()


def _show(pairs: list[tuple[float, float]], seen: Seen) -> None:
    ratio = statistics.median(beside / alone for beside, alone in pairs)
    rates = [statistics.median(column) for column in zip(*pairs, strict=True)]
    others = sum(count for (status, _), count in seen.items() if status != http.client.OK)
    told = ", ".join(f"{kind} {seen[http.client.OK, kind]}" for kind in (CROWDED, LATE))
    figures = [
        Figure(
            "head look-ups/s beside stuck ones",
            f"{rates[0]:.0f}",
            f"{rates[1]:.0f} alone",
            ratio,
            f">= {GOAL}",
            ratio >= GOAL,
        ),
        Figure(
            "stuck requests not answered 200", f"{others} of {sum(seen.values())} ({told})", "", None, "0", others == 0
        ),
    ]
    conditions = {"clients": CLIENTS, "gunicorn": f"1 process, {THREADS} threads", "pairs": PAIRS}
    show("stuck_tail", figures, {**conditions, "load average": f"{os.getloadavg()[0]:.1f}"})


if __name__ == "__main__":
    main()

"""Redis is killed with SIGKILL under load, comes back empty and is filled again: every answer is 200.

`python -m benchmarks.kill_redis`; wrk asks all the while, one watcher notes how long each state took.
"""

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.lookups_world import gunicorn, user_name, write_version, zipf_users
from benchmarks.lookups_wrk import read_round, start_wrk
from benchmarks.report import Figure, show
from headrace import embedded_redis
from headrace.embedded_redis import EmbeddedRedis

USERS = 5_000
BEFORE_SECONDS, DEAD_SECONDS, AFTER_SECONDS = 4.0, 4.0, 8.0
RUN_SECONDS = BEFORE_SECONDS + DEAD_SECONDS + AFTER_SECONDS + 4.0
PROMISE_SECONDS = 0.2
WATCH_SECONDS = 0.02


@dataclass(slots=True)
class Watch:
    """What one patient visitor saw, while wrk presses."""

    seconds: list[tuple[float, float]] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    sources: list[tuple[float, str]] = field(default_factory=list)

    def look(self, url: str, until: float) -> None:
        """Ask for one person again and again, and note status, source and seconds."""
        with httpx.Client(timeout=30) as client:
            while time.monotonic() < until:
                started = time.monotonic()
                answer = client.get(f"{url}/v1/recommendations/{user_name(0)}")
                self.seconds.append((started, time.monotonic() - started))
                self.statuses.add(answer.status_code)
                self.sources.append((started, answer.json()["source"]))
                time.sleep(WATCH_SECONDS)

    def worst(self, after: float, before: float) -> float:
        """Longest wait of a request sent between two instants."""
        return max(seconds for at, seconds in self.seconds if after <= at < before)

    def first(self, source: str, after: float) -> float:
        """When `source` was first seen after an instant; infinity when never."""
        return next((at for at, seen in self.sources if at > after and seen == source), float("inf"))


def main() -> None:
    """Run it once and keep the figures."""
    with tempfile.TemporaryDirectory(prefix="hr") as name:
        folder = Path(name)
        users = folder / "users"
        users.write_text("\n".join(zipf_users(users=USERS)) + "\n")
        first = embedded_redis.start(folder / "redis")
        try:
            write_version(first.url, fence=1, users=USERS)
            settings = {"HEADRACE_ROOT": name, "HEADRACE_REDIS_URL": first.url}
            with gunicorn("serving.app:create_app()", settings, folder / "log") as server:
                figures = _measure(server.url, users, first, folder / "again")
        finally:
            first.stop()
    conditions = {"connections": 16, "gunicorn": "2 processes, 8 threads", "load average": f"{os.getloadavg()[0]:.1f}"}
    show("kill_redis", figures, conditions)


def _measure(url: str, users: Path, redis: EmbeddedRedis, folder: Path) -> Sequence[Figure]:
    watch = Watch()
    until = time.monotonic() + RUN_SECONDS
    watcher = threading.Thread(target=watch.look, args=(url, until))
    wrk = start_wrk(url, users, RUN_SECONDS)
    watcher.start()
    time.sleep(BEFORE_SECONDS)
    redis.process.kill()
    killed_at = time.monotonic()
    redis.process.wait()
    time.sleep(DEAD_SECONDS)
    with embedded_redis.start(folder, port=redis.port) as again:
        write_version(again.url, fence=2, users=USERS)
        filled_at = time.monotonic()
        seen = read_round(wrk.communicate()[0])
        watcher.join()
    calm, worst = watch.worst(0, killed_at), watch.worst(killed_at, float("inf"))
    return (
        Figure("answers that are not 200", str(seen.not_ok), f"{seen.requests} answers", None, "0", seen.not_ok == 0),
        Figure("socket errors", str(seen.socket_errors), "", None, "0", seen.socket_errors == 0),
        Figure(
            "worst latency of wrk", f"{seen.max_us / 1e3:.0f} ms", f"p99 {seen.p99_us / 1e3:.0f} ms", None, "reported"
        ),
        Figure(
            "worst wait of a visitor from the kill on",
            f"{worst * 1e3:.0f} ms",
            f"{calm * 1e3:.0f} ms before the kill",
            worst / calm,
            "< 200 ms",
            worst < PROMISE_SECONDS,
        ),
        Figure(
            "until the fallback was seen", _span(killed_at, watch.first("fallback", killed_at)), "", None, "reported"
        ),
        Figure("until own lists were back", _span(filled_at, watch.first("head", filled_at)), "", None, "reported"),
    )


def _span(start: float, end: float) -> str:
    return f"{end - start:.2f} s"


if __name__ == "__main__":
    main()

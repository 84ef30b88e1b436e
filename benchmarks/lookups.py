"""Look-ups of head users against bare Flask: requests a second under the same gunicorn, and CPU in process.

`python -m benchmarks.lookups`; rounds of both servers take turns, and the ratio is taken within each pair, because
the machine's load varies more than the two servers differ.
"""

import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.lookups_cpu import cpu_seconds_a_call, on_one_core
from benchmarks.lookups_world import USERS, Server, gunicorn, write_version, zipf_users
from benchmarks.lookups_wrk import CONNECTIONS, Round, check_bodies, run_wrk
from benchmarks.report import Figure, show
from contracts.answers import SOURCE_HEAD
from contracts.settings import Settings
from headrace import embedded_redis

PAIRS, ROUND_SECONDS = 15, 2.0
THREADS = 8
CPU_ROUNDS, CPU_CALLS = 9, 2_000
SAMPLE = 200
GOAL_SPEED, STRETCH_SPEED = 1.0, 1.1
GOAL_CPU, STRETCH_CPU = 0.5, 0.35
Pair = tuple[Round, Round]


def main() -> None:
    """Measure both figures, over TCP and over a Unix socket, and keep them."""
    figures, checked = [], 0
    for transport in ("tcp", "unix socket"):
        with tempfile.TemporaryDirectory(prefix="hr") as folder, _lists(Path(folder), transport) as url:
            pairs, checked = _measure_speed(Path(folder), url)
            figures += [_speed_figure(transport, pairs), _worker_figure(transport, pairs)]
            figures += _cpu_figures(transport, Path(folder), url)
    conditions = {
        "users": USERS,
        "connections": CONNECTIONS,
        "pairs": PAIRS,
        "seconds a round": ROUND_SECONDS,
        "gunicorn": f"1 process, {THREADS} threads",
        "bodies checked": checked,
        "load average": f"{os.getloadavg()[0]:.1f}",
    }
    show("lookups", figures, conditions)


@contextmanager
def _lists(folder: Path, transport: str) -> Iterator[str]:
    with embedded_redis.start(folder / "redis", unix_socket=transport != "tcp") as redis:
        write_version(redis.url, fence=1)
        yield redis.url


def _measure_speed(folder: Path, url: str) -> tuple[list[Pair], int]:
    drawn = zipf_users()
    users = folder / "users"
    users.write_text("\n".join(drawn) + "\n")
    shared = {"HEADRACE_WORKERS": "1", "HEADRACE_THREADS": str(THREADS), "HEADRACE_REDIS_URL": url}
    ours_settings = {**shared, "HEADRACE_ROOT": str(folder / "ours")}
    bare_settings = {**shared, "HEADRACE_ROOT": str(folder / "bare")}
    with (
        gunicorn("serving.app:create_app()", ours_settings, folder / "ours.log") as ours,
        gunicorn("benchmarks.lookups_bare:app", bare_settings, folder / "bare.log") as bare,
    ):
        checked = check_bodies(ours.url, drawn[:SAMPLE], SOURCE_HEAD)
        _pair(ours, bare, users)
        return [_pair(ours, bare, users) for _ in range(PAIRS)], checked


def _pair(ours: Server, bare: Server, users: Path) -> Pair:
    pair = tuple(run_wrk(server.url, users, ROUND_SECONDS, server.pid) for server in (ours, bare))
    for one in pair:
        if one.socket_errors or one.not_ok:
            raise RuntimeError(f"wrk saw {one.socket_errors} socket errors and {one.not_ok} answers that are not 2xx")
    return pair[0], pair[1]


def _speed_figure(transport: str, pairs: list[Pair]) -> Figure:
    ratios = sorted(ours.requests_a_second / bare.requests_a_second for ours, bare in pairs)
    middle = statistics.median(ratios)
    quarter = len(ratios) // 4
    spread = f"quartiles {ratios[quarter]:.2f} to {ratios[-1 - quarter]:.2f}"
    return Figure(
        f"head look-ups, requests/s, Redis by {transport}",
        f"{statistics.median(ours.requests_a_second for ours, _ in pairs):.0f} ({spread})",
        f"{statistics.median(bare.requests_a_second for _, bare in pairs):.0f} bare Flask",
        middle,
        f">= {GOAL_SPEED}, stretch {STRETCH_SPEED}",
        middle >= GOAL_SPEED,
    )


def _worker_figure(transport: str, pairs: list[Pair]) -> Figure:
    ours = statistics.median(one.cpu_seconds / one.requests for one, _ in pairs)
    bare = statistics.median(one.cpu_seconds / one.requests for _, one in pairs)
    what = f"CPU of the whole server a request, Redis by {transport}"
    return Figure(what, f"{ours * 1e6:.0f} us", f"{bare * 1e6:.0f} us bare Flask", ours / bare, "reported")


def _cpu_figures(transport: str, folder: Path, url: str) -> list[Figure]:
    """On one core with Redis, then wherever the kernel puts both: there each call also pays for waking an idle core."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # as gunicorn runs it; before the import that reads it
    from benchmarks.lookups_bare import app as bare
    from serving.app import create_app

    paths = [f"/v1/recommendations/{user}" for user in zipf_users()]
    app = create_app(Settings(root=folder, redis_url=url))

    def measure() -> tuple[float, float, float]:
        rounds = [tuple(cpu_seconds_a_call(one, paths, CPU_CALLS) for one in (app, bare)) for _ in range(CPU_ROUNDS)]
        ratio = statistics.median(ours / reference for ours, reference in rounds)
        ours, reference = (statistics.median(column) * 1e6 for column in zip(*rounds, strict=True))
        return ours, reference, ratio

    with on_one_core("valkey-server"):
        together = measure()
    apart = measure()
    what, goal = "CPU in process a head look-up, Redis by", f"<= {GOAL_CPU}, stretch {STRETCH_CPU}"
    return [
        Figure(f"{what} {transport}", f"{ours:.0f} us", f"{reference:.0f} us bare Flask", ratio, *judged)
        for (ours, reference, ratio), judged in (
            (together, (goal, together[2] <= GOAL_CPU)),
            (apart, ("reported: cores as they come",)),
        )
    ]


if __name__ == "__main__":
    main()

"""Events over HTTP: single and in batches beside bare Flask, how soon a look-up sees them, and what they cost look-ups.

`python -m benchmarks.events_http [--short]`; rounds take turns and ratios are taken within a turn.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.events_senders import post_events, sending, waits_until_visible
from benchmarks.lookups_world import USERS, Server, gunicorn, write_version, zipf_users
from benchmarks.lookups_wrk import CONNECTIONS, Round, run_wrk
from benchmarks.report import Figure, show
from headrace import embedded_redis, stream_server
from serving.api_keys import EVENTS_WRITE, create_key

BATCH, THREADS = 50, 8

INCOMING = 500.0
GOAL_BATCH, GOAL_LOOKUPS, GOAL_VISIBLE_SECONDS = 10.0, 0.8, 0.010


@dataclass(frozen=True, slots=True)
class Length:
    """How much is measured."""

    turns: int
    seconds: float
    events: int


WHOLE, SHORT = Length(7, 4.0, 10_000), Length(2, 2.0, 500)


@dataclass(frozen=True, slots=True)
class Place:
    """The server under test and its reference, and the key that both are called with."""

    ours: Server
    bare: Server
    key: str
    users: Path


def main() -> None:
    """Measure and keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="few and short rounds, to see whether it runs")
    length = SHORT if parser.parse_args().short else WHOLE
    with tempfile.TemporaryDirectory(prefix="hr") as name, _place(Path(name)) as place:
        turns = [_turn(place, length) for _ in range(length.turns + 1)][1:]
        waits = waits_until_visible(place.ours.url, place.key, length.events)
        figures = [*_speed_figures(turns), _wait_figure(waits)]
        figures += [_lookups_figure(place, length, size) for size in (BATCH, 1)]
    conditions = {
        "people": USERS,
        "connections": CONNECTIONS,
        "turns": length.turns,
        "seconds a round": length.seconds,
        "gunicorn": f"1 process, {THREADS} threads",
        "stream": f"embedded Redis, appendfsync {stream_server.FSYNC}",
        "load average": f"{os.getloadavg()[0]:.1f}",
    }
    show("events_http", figures, conditions)


@contextmanager
def _place(folder: Path) -> Iterator[Place]:
    key, _ = create_key(folder / "keys.json", "benchmark", [EVENTS_WRITE])
    users = folder / "users"
    users.write_text("\n".join(zipf_users()) + "\n")
    shared = {
        "HEADRACE_WORKERS": "1",
        "HEADRACE_THREADS": str(THREADS),
        "HEADRACE_API_KEYS_FILE": str(folder / "keys.json"),
        "HEADRACE_KEY_EVENTS_PER_SECOND": "1000000000",
        "HEADRACE_STREAM_MAX_BYTES": str(8 * 1024**3),
    }
    with (
        embedded_redis.start(folder / "lists") as lists,
        stream_server.start(folder / "stream") as stream,
    ):
        write_version(lists.url, fence=1)
        shared |= {"HEADRACE_REDIS_URL": lists.url, "HEADRACE_STREAM_URL": stream.url}
        with (
            gunicorn("serving.app:create_app()", {**shared, "HEADRACE_ROOT": f"{folder}/a"}, folder / "a.log") as ours,
            gunicorn(
                "benchmarks.events_bare:app", {**shared, "HEADRACE_ROOT": f"{folder}/b"}, folder / "b.log"
            ) as bare,
        ):
            yield Place(ours, bare, key, users)


def _turn(place: Place, length: Length) -> dict[str, Round]:
    """One round each, one after the other."""
    rounds = {}
    for name, server, size in (
        ("single", place.ours, 1),
        ("batch", place.ours, BATCH),
        ("bare single", place.bare, 1),
        ("bare batch", place.bare, BATCH),
    ):
        seen = post_events(server.url, place.key, size=size, seconds=length.seconds, server_pid=server.pid)
        if seen.socket_errors or seen.not_ok:
            raise RuntimeError(f"{name}: {seen.socket_errors} socket errors and {seen.not_ok} answers not 2xx")
        rounds[name] = seen
    return rounds


def _speed_figures(turns: list[dict[str, Round]]) -> list[Figure]:
    def rate(name: str, size: int) -> float:
        return statistics.median(turn[name].requests_a_second * size for turn in turns)

    def cpu(name: str, size: int) -> float:
        return statistics.median(turn[name].cpu_seconds / turn[name].requests / size for turn in turns)

    batch_over_single = statistics.median(
        turn["batch"].requests_a_second * BATCH / turn["single"].requests_a_second for turn in turns
    )
    single, batch, bare = rate("single", 1), rate("batch", BATCH), rate("bare single", 1)
    return [
        Figure(
            f"events/s in batches of {BATCH}",
            f"{batch:.0f}",
            f"{single:.0f} one a post",
            batch_over_single,
            f">= {GOAL_BATCH:g}",
            batch_over_single >= GOAL_BATCH,
        ),
        Figure("events/s one a post", f"{single:.0f}", f"{bare:.0f} bare Flask", single / bare, "reported"),
        Figure(
            f"posts/s of {BATCH}",
            f"{batch / BATCH:.0f}",
            f"{rate('bare batch', BATCH) / BATCH:.0f} bare Flask",
            batch / rate("bare batch", BATCH),
            "reported",
        ),
        Figure(
            "events/s a core of the HTTP server, in batches",
            f"{1 / cpu('batch', BATCH):.0f} ({cpu('batch', BATCH) * 1e6:.0f} us an event)",
            f"{1 / cpu('single', 1):.0f} one a post, {1 / cpu('bare single', 1):.0f} bare Flask",
            cpu("single", 1) / cpu("batch", BATCH),
            "reported",
        ),
    ]


def _wait_figure(waits: list[float]) -> Figure:
    p50, p99 = (waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
    return Figure(
        f"202 until visible to GET, p99 of {len(waits)} events",
        f"{p99 * 1e3:.2f} ms",
        f"p50 {p50 * 1e3:.2f} ms, worst {waits[-1] * 1e3:.1f} ms",
        None,
        "< 10 ms",
        p99 < GOAL_VISIBLE_SECONDS,
    )


def _lookups_figure(place: Place, length: Length, size: int) -> Figure:
    ratios, alone_rates, rates = [], [], []
    for _ in range(length.turns):
        alone = run_wrk(place.ours.url, place.users, length.seconds, place.ours.pid)
        started = time.monotonic()
        connections = 1 if size > 1 else 4
        with sending(place.ours.url, place.key, size=size, per_second=INCOMING, connections=connections) as accepted:
            beside = run_wrk(place.ours.url, place.users, length.seconds, place.ours.pid)
        rates.append(sum(accepted) / (time.monotonic() - started))
        alone_rates.append(alone.requests_a_second)
        ratios.append(beside.requests_a_second / alone.requests_a_second)
    ratio = statistics.median(ratios)
    is_goal = size == BATCH
    return Figure(
        f"look-ups/s while {statistics.median(rates):.0f} events/s come in, {size} a post",
        f"{ratio * statistics.median(alone_rates):.0f}",
        f"{statistics.median(alone_rates):.0f} alone",
        ratio,
        f">= {GOAL_LOOKUPS}" if is_goal else "reported",
        ratio >= GOAL_LOOKUPS if is_goal else None,
    )


if __name__ == "__main__":
    main()

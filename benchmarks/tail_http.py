"""The tail through HTTP: latency beside bare Flask, head look-ups beside a busy tail, and what overload leaves of it.

`python -m benchmarks.tail_http`: the drawn shop of `benchmarks.tail_shop`, a server of one process and eight threads,
one inference worker, every request another person in another session. Load comes on a clock, and latency counts from
the instant when a request was due. Bare Flask runs under the same gunicorn, in turn.
"""

import http.client
import json
import os
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks import tail_shop
from benchmarks.lookups_world import user_name as head_name
from benchmarks.lookups_wrk import Round, run_wrk
from benchmarks.report import Figure, show
from benchmarks.tail_load import Load, Seen, quantile_ms, send_in_turn, send_on_a_clock, steady
from benchmarks.tail_server import HEAD_USERS, INFERENCE_WORKERS, THREADS, TailServers, pin, tail_bodies, tail_servers
from contracts.answers import SOURCE_ON_DEMAND

BODIES = 20_000
RATE, ROUNDS, ROUND_SECONDS, TIMED = 50.0, 5, 6.0, 200
WARM_SECONDS, WARM_CONNECTIONS = 2.0, 2
PROBED_RATES, PROBE_SECONDS = (50.0, 100.0, 200.0, 400.0), 4.0
WRK_PAIRS, WRK_SECONDS = 5, 3.0
OVERLOAD, OVERLOAD_ROUNDS, OVERLOAD_SECONDS = 3.0, 3, 4.0
CALM_SHARE, STEP, STEP_SECONDS, AFTER_SECONDS = 0.3, 10.0, 5.0, 12.0
DEADLINE_SECONDS = 0.2
GOAL_LATENCY, STRETCH_LATENCY = 8.0, 3.0
GOAL_HEAD, STRETCH_HEAD = 0.7, 0.9
GOAL_GOODPUT, GOAL_RECOVERY_SECONDS = 0.9, 10.0
PATH = "/v1/recommendations"


def main() -> None:
    """Measure all and keep it."""
    bodies = Bodies(tail_bodies(BODIES, seed=6))
    with tempfile.TemporaryDirectory(prefix="hr") as folder, tail_servers(Path(folder)) as servers:
        send_in_turn(bodies.load(servers), WARM_SECONDS, WARM_CONNECTIONS)
        figures = latency_figures(servers, bodies)
        figures += stage_figures(servers, bodies)
        capacity = measure_capacity(servers, bodies)
        figures += overload_figures(servers, bodies, capacity)
        figures += head_figures(servers, bodies, capacity, Path(folder))
    show(
        "tail_http",
        figures,
        {
            "items": tail_shop.ITEMS,
            "candidates": tail_shop.CANDIDATES,
            "gunicorn": f"1 process, {THREADS} threads",
            "inference": f"{INFERENCE_WORKERS} worker",
            "load average": f"{os.getloadavg()[0]:.1f}",
        },
    )


class Bodies:
    """Bodies to post, each given out once, so that no answer is kept from before."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self._bodies, self._next = bodies, 0

    def load(self, servers: TailServers, count: int = 3_000) -> Load:
        """A load of the next few."""
        chosen = [self._bodies[(self._next + place) % len(self._bodies)] for place in range(count)]
        self._next += count
        return Load(servers.ours.url + PATH, chosen)


def latency_figures(servers: TailServers, bodies: Bodies) -> list[Figure]:
    """The tail and bare Flask at fifty requests a second, in turn."""
    ours, bare = list[Seen](), list[Seen]()
    for _ in range(ROUNDS):
        ours += send_on_a_clock(bodies.load(servers), steady(RATE, ROUND_SECONDS))
        bare += send_on_a_clock(Load(f"{servers.bare.url}{PATH}/x"), steady(RATE, ROUND_SECONDS))
    measured, reference = quantile_ms(ours, 0.99), quantile_ms(bare, 0.99)
    ratio = measured / reference
    return [
        Figure(
            f"tail p99 at {RATE:.0f}/s, from when it was due",
            f"{measured:.1f} ms, median {quantile_ms(ours, 0.5):.1f}; {shares(ours)}",
            f"{reference:.1f} ms bare Flask, median {quantile_ms(bare, 0.5):.1f}",
            ratio,
            f"<= {GOAL_LATENCY:.0f}, stretch {STRETCH_LATENCY:.0f}",
            ratio <= GOAL_LATENCY,
        )
    ]


def stage_figures(servers: TailServers, bodies: Bodies) -> list[Figure]:
    """Where the time of an answer goes, as the server itself tells when it is asked to, one request at a time."""
    parts = urlsplit(servers.ours.url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port)
    spent: dict[str, list[float]] = {}
    for body in bodies.load(servers, TIMED).bodies:
        link.request("POST", f"{PATH}?debug=timings", body, {"Content-Type": "application/json"})
        answer = json.loads(link.getresponse().read())
        for stage, stage_ms in answer["timings_ms"].items() if answer["source"] == SOURCE_ON_DEMAND else ():
            spent.setdefault(stage, []).append(stage_ms)
    link.close()
    return [
        Figure(f"one at a time, {stage}", f"{statistics.median(times):.2f} ms", "", None, "reported")
        for stage, times in spent.items()
    ]


def measure_capacity(servers: TailServers, bodies: Bodies) -> float:
    """The most answers on demand a second at any of some rates."""
    return max(
        goodput(send_on_a_clock(bodies.load(servers), steady(rate, PROBE_SECONDS)), PROBE_SECONDS)
        for rate in PROBED_RATES
    )


def overload_figures(servers: TailServers, bodies: Bodies, capacity: float) -> list[Figure]:
    """At capacity, at three times it, and a step to ten times a calm load and back."""
    at, over = list[Seen](), list[Seen]()
    for _ in range(OVERLOAD_ROUNDS):
        at += send_on_a_clock(bodies.load(servers), steady(capacity, OVERLOAD_SECONDS))
        over += send_on_a_clock(bodies.load(servers), steady(OVERLOAD * capacity, OVERLOAD_SECONDS))
    seconds = OVERLOAD_ROUNDS * OVERLOAD_SECONDS
    ratio = goodput(over, seconds) / goodput(at, seconds)
    calm = CALM_SHARE * capacity
    due = steady(calm, STEP_SECONDS)
    due += steady(STEP * calm, STEP_SECONDS, STEP_SECONDS) + steady(calm, AFTER_SECONDS, 2 * STEP_SECONDS)
    stepped = send_on_a_clock(bodies.load(servers), due)
    recovery = seconds_until_personal(stepped, 2 * STEP_SECONDS)
    return [
        Figure(
            f"goodput at {OVERLOAD:.0f} x capacity",
            f"{goodput(over, seconds):.0f}/s on demand; {shares(over)}",
            f"{goodput(at, seconds):.0f}/s at capacity, {capacity:.0f}/s; {shares(at)}",
            ratio,
            f">= {GOAL_GOODPUT}",
            ratio >= GOAL_GOODPUT,
        ),
        Figure(
            f"after {STEP:.0f} x {calm:.0f}/s for {STEP_SECONDS:.0f} s, until personal again",
            f"{recovery:.0f} s; {shares(stepped)}",
            "",
            None,
            f"<= {GOAL_RECOVERY_SECONDS:.0f} s",
            recovery <= GOAL_RECOVERY_SECONDS,
        ),
    ]


def head_figures(servers: TailServers, bodies: Bodies, capacity: float, folder: Path) -> list[Figure]:
    """Look-ups of head users alone and while the tail is asked for at its capacity; inference has a core of its own."""
    users = folder / "users"
    users.write_text("\n".join(head_name(row) for row in range(HEAD_USERS)) + "\n")
    if (os.cpu_count() or 1) > 1:
        pin(servers.inference_pid, 1)
        pin(servers.ours.pid, 0)
    pairs, tail = list[tuple[Round, Round]](), list[Seen]()
    for _ in range(WRK_PAIRS):
        alone = run_wrk(servers.ours.url, users, WRK_SECONDS, servers.ours.pid)
        with _busy_tail(servers, bodies, capacity, tail):
            beside = run_wrk(servers.ours.url, users, WRK_SECONDS, servers.ours.pid)
        pairs.append((alone, beside))
    return [
        _paired("head look-ups a second beside a tail at full load", pairs, lambda one: one.requests_a_second, tail),
        _paired("the same a second of the server's CPU", pairs, lambda one: one.requests / one.cpu_seconds, tail),
    ]


def _paired(
    what: str, pairs: Sequence[tuple[Round, Round]], rate: Callable[[Round], float], tail: Sequence[Seen]
) -> Figure:
    """Beside and alone, and the median of the ratios within pairs."""
    alone, beside = ([rate(one) for one in column] for column in zip(*pairs, strict=True))
    ratios = [one / other for one, other in zip(beside, alone, strict=True)]
    ratio = statistics.median(ratios)
    return Figure(
        what,
        f"{statistics.median(beside):.0f}, pairs {min(ratios):.2f} to {max(ratios):.2f}; tail {shares(tail)}",
        f"{statistics.median(alone):.0f} alone",
        ratio,
        f">= {GOAL_HEAD}, stretch {STRETCH_HEAD}",
        ratio >= GOAL_HEAD,
    )


@contextmanager
def _busy_tail(servers: TailServers, bodies: Bodies, capacity: float, seen: list[Seen]) -> Iterator[None]:
    load = bodies.load(servers)
    thread = threading.Thread(
        target=lambda: seen.extend(send_on_a_clock(load, steady(capacity, WRK_SECONDS + 1.0))), daemon=True
    )
    if (os.cpu_count() or 1) > 1:
        psutil.Process().cpu_affinity([1])  # the load itself beside inference, not beside the server
    thread.start()
    try:
        yield
    finally:
        thread.join()
        psutil.Process().cpu_affinity(list(range(os.cpu_count() or 1)))


def goodput(seen: Sequence[Seen], seconds: float) -> float:
    """Answers computed on demand and in time, a second."""
    return sum(one.source == SOURCE_ON_DEMAND and one.seconds <= DEADLINE_SECONDS for one in seen) / seconds


def shares(seen: Sequence[Seen]) -> str:
    """How many were answered, in time, and on demand."""
    answered = sum(one.status == 200 for one in seen) / len(seen)
    in_time = sum(one.status == 200 and one.seconds <= DEADLINE_SECONDS for one in seen) / len(seen)
    on_demand = sum(one.source == SOURCE_ON_DEMAND for one in seen) / len(seen)
    return f"{answered:.2%} answered, {in_time:.2%} in time, {on_demand:.1%} on demand"


def seconds_until_personal(seen: Sequence[Seen], since: float) -> float:
    """Seconds after `since` from which on at least nine in ten answers of every second are on demand."""
    bad = [int(one.due - since) for one in seen if one.due >= since and one.source != SOURCE_ON_DEMAND]
    every = [int(one.due - since) for one in seen if one.due >= since]
    worst = [second for second in set(bad) if bad.count(second) > 0.1 * every.count(second)]
    return float(max(worst) + 1) if worst else 0.0


if __name__ == "__main__":
    main()

"""The inference service by itself: what a question costs besides its computation, overload, and how soon it is back.

`python -m benchmarks.inference [ROUNDS]`; a small world, so that computing is next to nothing. Under overload each
question takes 10 ms of sleep, so that capacity is what two workers can do, and not what the machine has left.
"""

import argparse
import asyncio
import itertools
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.report import Figure, show
from contracts.settings import Settings
from headrace import embedded_redis
from serving.inference import hooks, messages
from serving.inference.address import inference_address
from serving.inference.frames import FrameReader
from serving.inference.messages import REPLY_HEADER, TailAsk, pack_request
from serving.tail_client import TailFailure
from tests.serving.inference_world import HOUR, KNOWN, Running, point_to, run_inference, write_hour

QUESTIONS, BUDGET_SECONDS, LOAD_SECONDS, SLEEP_MS = 5_000, 0.150, 4.0, 10
LINKS = 16
BACK_SECONDS, COST_US, CLIENT_US, GOODPUT = 5.0, 150.0, 60.0, 0.9
numbers = itertools.count(1)


def main() -> None:
    """Measure some rounds and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="hr") as folder, _service(Path(folder)) as running:
        costs = [_cost(running) for _ in range(rounds)]
        loads = [_overload(running) for _ in range(rounds)]
        backs = {harm: [_seconds_until_back(running, harm) for _ in range(rounds)] for harm in HARMS}
    figures = [*_cost_figures(costs), *_load_figures(loads)]
    figures += [_back_figure(harm, seconds) for harm, seconds in backs.items()]
    show("inference", figures, {"workers": 2, "rounds": rounds, "questions": QUESTIONS})


@contextmanager
def _service(root: Path) -> Iterator[Running]:
    with embedded_redis.start(root / "redis") as server:
        settings = Settings(root=root, redis_url=server.url, inference_metrics="", candidate_count=60)
        write_hour(root, HOUR)
        point_to(server.url, HOUR, 1)
        with run_inference(settings) as running:
            running.await_workers(2)
            yield running


def _cost(running: Running) -> tuple[float, float, float]:
    """CPU of the dispatcher, of the client and of a bare client, microseconds a question, one after the other."""
    client, dispatcher = running.client(), psutil.Process(running.process.pid)
    excluded = [f"i{number:04d}" for number in range(20)]
    before, mine = sum(dispatcher.cpu_times()[:2]), time.process_time()
    for _ in range(QUESTIONS):
        client.ask(TailAsk(KNOWN, 50, seq=next(numbers), excluded=excluded), time.monotonic() + 5)
    mine, spent = time.process_time() - mine, sum(dispatcher.cpu_times()[:2]) - before
    client.close()
    return spent / QUESTIONS * 1e6, mine / QUESTIONS * 1e6, _bare_cost()


def _bare_cost() -> float:
    """CPU of a client that sends and receives as many bytes from a peer that answers a millisecond later."""
    ours, theirs = socket.socketpair()
    code = f"import socket, sys, time\ns = socket.socket(fileno={theirs.fileno()})\n"
    code += "while s.recv(65536): time.sleep(0.001); s.sendall(bytes(1000))"
    with subprocess.Popen([sys.executable, "-c", code], pass_fds=[theirs.fileno()]), ours:
        theirs.close()
        ours.sendall(bytes(500))
        ours.recv(65_536)
        before = time.process_time()
        for _ in range(QUESTIONS):
            ours.sendall(bytes(500))
            ours.recv(65_536)
        return (time.process_time() - before) / QUESTIONS * 1e6


def _overload(running: Running) -> tuple[float, float, float, Counter[int]]:
    """Capacity, goodput at capacity and at three times as much, and what became of the questions then."""
    capacity = 2 * 1_000 / (SLEEP_MS + 2)
    calm, _ = asyncio.run(_load(running, capacity))
    hard, statuses = asyncio.run(_load(running, 3 * capacity))
    return capacity, calm, hard, statuses


async def _load(running: Running, per_second: float) -> tuple[float, Counter[int]]:
    """Ask on a clock, whatever became of the questions before; answers a second within the budget, and statuses."""
    path = inference_address(running.settings).unix_path
    links = [await asyncio.open_unix_connection(path) for _ in range(LINKS)]
    sent: dict[int, float] = {}
    seen: list[tuple[int, float]] = []
    readers = [asyncio.create_task(_read(reader, sent, seen)) for reader, _ in links]
    began = time.monotonic()
    for place in range(int(per_second * LOAD_SECONDS)):
        due = began + place / per_second
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        number = next(numbers)
        sent[number] = due
        body = TailAsk(f"{hooks.DELAY}{SLEEP_MS}:{number}", 10).encode()
        links[place % LINKS][1].write(pack_request(number, int(BUDGET_SECONDS * 1_000), body))
    await asyncio.sleep(2 * BUDGET_SECONDS)
    for reader, (_, writer) in zip(readers, links, strict=True):
        reader.cancel()
        writer.close()
    good = sum(status == messages.ANSWERED and seconds <= BUDGET_SECONDS for status, seconds in seen)
    return good / LOAD_SECONDS, Counter(status for status, _ in seen)


async def _read(reader: asyncio.StreamReader, sent: dict[int, float], seen: list[tuple[int, float]]) -> None:
    frames = FrameReader(REPLY_HEADER)
    while data := await reader.read(65_536):
        for (_, status, number), _ in frames.feed(data):
            seen.append((status, time.monotonic() - sent[number]))


def _kill(running: Running) -> None:
    for worker in running.workers():
        worker.kill()


def _stop(running: Running) -> None:
    for worker in running.workers():
        worker.send_signal(signal.SIGSTOP)


def _loop(running: Running) -> None:
    for _ in range(running.settings.inference_workers):
        client = running.client()
        try:
            client.ask(TailAsk(f"{hooks.HANG}:{next(numbers)}", 5), time.monotonic() + 0.05)
        except TailFailure:
            client.close()


HARMS = {
    "every worker and the reserve killed": _kill,
    "every worker and the reserve stopped": _stop,
    "every worker in an endless loop": _loop,
}


def _seconds_until_back(running: Running, harm: str) -> float:
    """From the harm to the next answer."""
    time.sleep(35)  # so long that those of the round before count as having lasted
    began = time.monotonic()
    HARMS[harm](running)
    running.await_answer(TailAsk(KNOWN, 5, seq=next(numbers)))
    return time.monotonic() - began


def _cost_figures(costs: Sequence[tuple[float, float, float]]) -> list[Figure]:
    spent, mine, bare = (statistics.median(values) for values in zip(*costs, strict=True))
    reference = f"{bare:.0f} µs of a bare exchange"
    return [
        Figure(
            "CPU of the dispatcher a question",
            f"{spent:.0f} µs",
            reference,
            spent / bare,
            f"≤ {COST_US:.0f} µs",
            spent <= COST_US,
        ),
        Figure(
            "CPU of the client a question",
            f"{mine:.0f} µs",
            reference,
            mine / bare,
            f"≤ {CLIENT_US:.0f} µs",
            mine <= CLIENT_US,
        ),
    ]


def _load_figures(loads: Sequence[tuple[float, float, float, Counter[int]]]) -> list[Figure]:
    ratio = statistics.median(hard / calm for _, calm, hard, _ in loads)
    capacity, calm, hard, statuses = loads[-1]
    return [
        Figure(
            f"goodput at 3 × capacity ({capacity:.0f}/s of {SLEEP_MS} ms)",
            f"{hard:.0f}/s",
            f"{calm:.0f}/s at capacity",
            ratio,
            f"≥ {GOODPUT}",
            ratio >= GOODPUT,
        ),
        Figure(
            "what became of the questions then",
            f"{statuses[messages.ANSWERED]} answered, {statuses[messages.BUSY]} refused at once",
            f"{statuses[messages.LATE]} late",
            None,
            "reported",
        ),
    ]


def _back_figure(harm: str, seconds: Sequence[float]) -> Figure:
    worst = max(seconds)
    measured = f"{statistics.median(seconds):.1f} s, at most {worst:.1f} s"
    return Figure(
        f"{harm}: until the next answer", measured, "", None, f"≤ {BACK_SECONDS:.0f} s", worst <= BACK_SECONDS
    )


if __name__ == "__main__":
    main()

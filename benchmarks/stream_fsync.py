"""How often the stream's log is synced: events a second, and what a SIGKILL of the server takes away.

`python -m benchmarks.stream_fsync [KILLS]`; four threads append batches of 50 and the server is killed under them, in
the middle of a background fsync where there is one. It starts again on its log, and every acknowledged event is
looked for.
"""

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis

from benchmarks.report import Figure, show
from contracts.errors import StoreUnavailable
from contracts.records import EVENT, Record
from headrace import stream_server
from ingest.redis_consumer import RedisConsumer
from ingest.redis_stream import RedisProducer

POLICIES = ("always", "everysec", "no")
# By what the server and the kernel promise, not measured: nobody here can cut the power.
POWER_CUT = {
    "always": "nothing acknowledged",
    "everysec": "up to about 2 seconds",
    "no": "up to what the kernel holds back, 30 seconds unless it is set otherwise",
}
THREADS, BATCH, PAYLOAD = 4, 50, b"\x01" + bytes(180)
LOAD_SECONDS, WATCH_SECONDS = 2.0, 1.5
MAX_BYTES = 8 * 1024**3
THREAD_SPAN = 10**9  # numbers of one thread's events


@dataclass(slots=True)
class Appender:
    """A thread that appends numbered events, and knows how many were acknowledged."""

    url: str
    first: int
    acknowledged: int = 0
    seconds: list[float] = field(default_factory=list)

    def run(self, ending: threading.Event) -> None:
        """Append until told to end or until the server has gone."""
        producer = RedisProducer(self.url, max_bytes=MAX_BYTES)
        while not ending.is_set():
            start = self.first + self.acknowledged
            batch = [Record(EVENT, f"u{number % 1000}", PAYLOAD, number, 1) for number in range(start, start + BATCH)]
            asked = time.monotonic()
            try:
                producer.append(batch, asked + 10)
            except StoreUnavailable:
                break
            self.seconds.append(time.monotonic() - asked)
            self.acknowledged += BATCH
        producer.close_mine()


@dataclass(slots=True)
class Seen:
    """What the kills of one policy showed."""

    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)


def main() -> None:
    """Kill a server of each policy several times and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int, nargs="?", default=10)
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory(prefix="hr") as name:
        seen = {policy: _measure(policy, Path(name), kills) for policy in POLICIES}
    figures = [figure for policy in POLICIES for figure in _figures(policy, seen[policy], seen["no"])]
    show("stream_fsync", figures, {"kills": kills, "threads": THREADS, "batch": BATCH, "default": stream_server.FSYNC})


def _measure(policy: str, folder: Path, kills: int) -> Seen:
    seen = Seen()
    for number in range(kills):
        _kill_once(policy, folder / f"{policy}-{number}", seen)
    return seen


def _kill_once(policy: str, folder: Path, seen: Seen) -> None:
    options = ("--appendfsync", policy)
    server = stream_server.start(folder, options=options)
    ending = threading.Event()
    appenders = [Appender(server.url, 1 + THREAD_SPAN * thread) for thread in range(THREADS)]
    threads = [threading.Thread(target=appender.run, args=(ending,)) for appender in appenders]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    time.sleep(LOAD_SECONDS)
    _await_worst_moment(server.url)
    server.process.kill()
    seen.rates.append(sum(appender.acknowledged for appender in appenders) / (time.monotonic() - started))
    ending.set()
    for thread in threads:
        thread.join()
    server.process.wait()
    with stream_server.start(folder, options=options) as again:
        found = _digests(again.url)
    shutil.rmtree(folder)
    for appender in appenders:
        seen.seconds += appender.seconds
    promised = (range(one.first, one.first + one.acknowledged) for one in appenders)
    seen.lost.append(sum(number not in found for numbers in promised for number in numbers))


def _await_worst_moment(url: str) -> None:
    """While an fsync runs in the background (of `everysec` alone) the server answers before it writes."""
    until = time.monotonic() + WATCH_SECONDS
    with redis.Redis.from_url(url) as client:
        while time.monotonic() < until and not client.info("persistence")["aof_pending_bio_fsync"]:
            pass


def _digests(url: str) -> set[int]:
    consumer = RedisConsumer(url)
    found: set[int] = set()
    while entries := consumer.read(20_000, 0):
        found |= {entry.record.digest for entry in entries}
    consumer.close()
    return found


def _figures(policy: str, seen: Seen, fastest: Seen) -> list[Figure]:
    is_default = policy == stream_server.FSYNC
    rate, best = statistics.median(seen.rates), statistics.median(fastest.rates)
    waits = statistics.quantiles(seen.seconds, n=100)
    lost, hit = sum(seen.lost), sum(count > 0 for count in seen.lost)
    name = f"{policy} (the default)" if is_default else policy
    return [
        Figure(f"{name}: events/s", f"{rate:,.0f}", f"{best:,.0f} without fsync", rate / best, "reported"),
        Figure(
            f"{name}: a batch of {BATCH}",
            f"p50 {waits[49] * 1e3:.1f} ms, p99 {waits[98] * 1e3:.1f} ms",
            f"{THREADS} threads at once",
            None,
            "reported",
        ),
        Figure(
            f"{name}: acknowledged events lost to SIGKILL",
            f"{lost}",
            f"{hit} of {len(seen.lost)} kills lost some",
            None,
            "0" if is_default else "reported",
            lost == 0 if is_default else None,
        ),
        Figure(f"{name}: what a power cut could take", POWER_CUT[policy], "not measured", None, "stated"),
    ]


if __name__ == "__main__":
    main()

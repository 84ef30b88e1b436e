"""What Prometheus reads: requests by route, source and status, failures of Redis, the breaker, the lists' age.

Children are bound once; with PROMETHEUS_MULTIPROC_DIR set before the import, all processes are one target.
"""

import os
from collections import Counter as Verdicts
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from ingest.redis_connection import FAILURE_KINDS
from serving.tail_client import FAILURE_KINDS as FAILURE_KINDS_OF_TAIL

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.5, 1.0, 5.0)
MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
NO_SOURCE = "none"
EMPTY_ANSWER = "empty"  # beside the kinds of failure: inference answered, and nothing of it may be shown
Observe = Callable[[float], None]


class Metrics:
    """All series of one process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = self._histogram(
            "headrace_request_seconds", "Time to answer; its _count counts the requests.", ("route", "source", "status")
        )
        failures = self._counter("headrace_redis_failures", "Reads not answered.", "kind")
        self._failures = {kind: failures.labels(kind) for kind in FAILURE_KINDS}
        self._breaker = self._gauge("headrace_breaker_open", "Processes that do not ask Redis now.", "livesum")
        self._age = self._gauge("headrace_list_age_seconds", "Age of the serving version.", "mostrecent")
        self._events = self._counter("headrace_events", "Events sent, by verdict.", "status")
        self._spooled = self._gauge(
            "headrace_spool_bytes", "Bytes that wait on disk for the stream or the lists.", "mostrecent"
        )
        tail_failures = self._counter("headrace_tail_failures", "Questions to inference without an answer.", "kind")
        self._tail_failures = {kind: tail_failures.labels(kind) for kind in (*FAILURE_KINDS_OF_TAIL, EMPTY_ANSWER)}
        self._tail_seconds = self._histogram(
            "headrace_tail_seconds", "Time that a request waited for inference, answered or not."
        )
        self._tail_breaker = self._gauge(
            "headrace_tail_breaker_open", "Processes that do not ask inference now.", "livesum"
        )
        self._bound: dict[tuple[str, str, int], Observe] = {}

    def observer(self, route: str, source: str, status: int) -> Observe:
        """Function that counts one request and the seconds it took; bound once."""
        key = (route, source, status)
        if key not in self._bound:
            self._bound[key] = self._seconds.labels(route, source, str(status)).observe
        return self._bound[key]

    def redis_failed(self, kind: str) -> None:
        """Count a read that Redis did not answer."""
        self._failures[kind].inc()

    def tail_failed(self, kind: str) -> None:
        """Count a question that inference did not answer."""
        self._tail_failures[kind].inc()

    def tail_waited(self, seconds: float) -> None:
        """Count the time that a request waited for inference."""
        self._tail_seconds.observe(seconds)

    def events_taken(self, results: Iterable[Mapping[str, Any]]) -> None:
        """Count events by their verdict."""
        for status, count in Verdicts(result["status"] for result in results).items():
            self._events.labels(status).inc(count)

    def set_spooled(self, size: int) -> None:
        """Bytes in the spool as of now."""
        self._spooled.set(size)

    def set_gauges(self, *, breaker_open: bool, tail_breaker_open: bool, list_age_seconds: float) -> None:
        """State as of now."""
        self._breaker.set(float(breaker_open))
        self._tail_breaker.set(float(tail_breaker_open))
        self._age.set(list_age_seconds)

    def exposition(self) -> bytes:
        """Text of all series, of all processes when they share a directory."""
        if MULTIPROCESS_DIR not in os.environ:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)

    def _histogram(self, name: str, says: str, labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(name, says, labels, registry=self._registry, buckets=BUCKETS)

    def _counter(self, name: str, says: str, label: str) -> Counter:
        return Counter(name, says, (label,), registry=self._registry)

    def _gauge(self, name: str, says: str, mode: Literal["livesum", "mostrecent"]) -> Gauge:
        return Gauge(name, says, registry=self._registry, multiprocess_mode=mode)

"""What the dispatcher counts, as Prometheus reads it; `headrace_inference_queue_depth` is for an autoscaler."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

COMPUTED, CACHED, JOINED = "computed", "cached", "joined"
BUSY, LATE, FAILED, NOT_READY = "busy", "late", "failed", "not_ready"
OUTCOMES = (COMPUTED, CACHED, JOINED, BUSY, LATE, FAILED, NOT_READY)
ENDED, STUCK, SLOW_START = "ended", "stuck", "slow_start"
ENDINGS = (ENDED, STUCK, SLOW_START)
Increment = Callable[[], None]
BUCKETS = (0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.5, 2.0)


class Tally:
    """All series of a dispatcher, in a registry of their own; children are bound once."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        outcomes = Counter(
            "headrace_inference_questions", "Questions by what became of them.", ("outcome",), registry=self._registry
        )
        self.count = {outcome: outcomes.labels(outcome).inc for outcome in OUTCOMES}
        endings = Counter(
            "headrace_inference_worker_ends", "Workers that ended unasked.", ("cause",), registry=self._registry
        )
        self.worker_ended = {cause: endings.labels(cause).inc for cause in ENDINGS}
        self.waited = self._histogram("headrace_inference_wait_seconds", "Time in the queue.").observe
        self.computed = self._histogram("headrace_inference_compute_seconds", "Time in a worker.").observe
        self._depth = self._gauge("headrace_inference_queue_depth", "Questions that wait for a worker.")
        self._capacity = self._gauge("headrace_inference_queue_capacity", "Questions that may wait.")
        workers = Gauge("headrace_inference_workers", "Workers by state.", ("state",), registry=self._registry)
        self._idle, self._busy = workers.labels("idle"), workers.labels("busy")
        self._switches = Counter(
            "headrace_inference_model_switches", "Times that other models took over.", registry=self._registry
        )
        self._model = Gauge(
            "headrace_inference_model_info", "The version that answers.", ("version",), registry=self._registry
        )

    def switched(self, version: str) -> None:
        """Other models answer from now on."""
        self._switches.inc()
        self._model.clear()
        self._model.labels(version).set(1)

    def set_gauges(self, *, waiting: int, capacity: int, idle: int, busy: int) -> None:
        """State as of now."""
        self._depth.set(waiting)
        self._capacity.set(capacity)
        self._idle.set(idle)
        self._busy.set(busy)

    def exposition(self) -> bytes:
        """Text of all series."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self._registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(name, text, registry=self._registry, buckets=BUCKETS)

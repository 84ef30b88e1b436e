"""Lists computed on demand: put to the inference service within what is left of the request's time."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from contracts.answers import SOURCE_ON_DEMAND, AnswerHead, encode_answer
from contracts.errors import BadInput
from contracts.intervals import format_instant
from contracts.settings import Settings
from ingest.breaker import CLOSED
from serving.inference.messages import TailAnswer, TailAsk
from serving.metrics import EMPTY_ANSWER, Metrics
from serving.rungs import Answer, Terms
from serving.tail_client import (
    BUSY,
    CROWDED,
    FAILED,
    LATE,
    NOT_READY,
    OPEN,
    UNREACHABLE,
    TailFailure,
)

WHY_NOT = {
    BUSY: "on-demand inference has more to do than it can",
    LATE: "on-demand inference did not answer in time",
    FAILED: "on-demand inference failed on this request",
    NOT_READY: "on-demand inference has no models loaded yet",
    UNREACHABLE: "on-demand inference cannot be reached",
    OPEN: "on-demand inference failed a moment ago and is given a pause",
    CROWDED: "as many requests as may already wait for on-demand inference",
    EMPTY_ANSWER: "on-demand inference has nothing to show",
}
UNKNOWN_LAST = "items that the models do not know stand last"


class Answers(Protocol):
    """Whoever answers questions about one person."""

    @property
    def breaker_state(self) -> str:
        """State of its breaker, as in ingest.breaker."""
        ...

    def ask(self, ask: TailAsk, deadline: float) -> TailAnswer:
        """The answer by the deadline, an instant of time.monotonic(); TailFailure."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


def as_given(ask: TailAsk) -> Sequence[str]:
    """The items of a list to be ranked; none for any other question."""
    return ask.items or ()


@dataclass(slots=True)
class MemoryAnswers:
    """Answers without a model: `rank` orders items for a question, or raises; what was asked is kept in `asked`."""

    rank: Callable[[TailAsk], Sequence[str]] = as_given
    version: str = "2026-01-31T07.1"
    asked: list[TailAsk] = field(default_factory=list)

    @property
    def breaker_state(self) -> str:
        """Never open."""
        return CLOSED

    def ask(self, ask: TailAsk, deadline: float) -> TailAnswer:
        """Items less those that the question excludes, each with the score of its place."""
        self.asked.append(ask)
        items = [item for item in self.rank(ask) if item not in ask.excluded][: ask.limit]
        scores = [1 / (place + 1) for place in range(len(items))]
        return TailAnswer(self.version, items, scores, 0, len({row[2] for row in ask.events}), [("rank", 0.0)])

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How a request's time is divided, in seconds; `look_up_seconds` is all but what writing the answer takes."""

    redis_seconds: float
    inference_seconds: float
    look_up_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> "Clock":
        """Read the settings; BadInput when the reserve leaves nothing."""
        look_up_ms = settings.request_timeout_ms - settings.answer_reserve_ms
        if look_up_ms <= 0:
            raise BadInput(
                f"setting HEADRACE_ANSWER_RESERVE_MS is {settings.answer_reserve_ms}; "
                f"it takes less than HEADRACE_REQUEST_TIMEOUT_MS, which is {settings.request_timeout_ms}"
            )
        return cls(settings.redis_timeout_ms / 1_000, settings.inference_timeout_ms / 1_000, look_up_ms / 1_000)

    def for_inference(self, redis_deadline: float) -> float:
        """Until when inference may take, in a request that may ask Redis until that deadline."""
        received_at = redis_deadline - self.redis_seconds
        return min(time.monotonic() + self.inference_seconds, received_at + self.look_up_seconds)


class OnDemand:
    """Asks, measures, and makes answers of what comes back. Deadlines are those of what is asked of Redis."""

    def __init__(self, answers: Answers, clock: Clock, metrics: Metrics) -> None:
        self._answers = answers
        self._clock = clock
        self._metrics = metrics

    @property
    def is_closed(self) -> bool:
        """Whether questions pass the breaker."""
        return self._answers.breaker_state == CLOSED

    def recommend(self, question: TailAsk, subject: str, terms: Terms, deadline: float) -> Answer:
        """A list of at most `terms.limit` items; TailFailure, also when nothing is left that may be shown."""
        found, ms = self._ask(question, deadline)
        hidden = terms.left_out.among(found.item_ids)
        kept = [pair for pair in zip(found.item_ids, found.scores, strict=True) if pair[0] not in hidden]
        if not kept and not terms.is_filtered:
            raise self._counted(TailFailure(EMPTY_ANSWER, "the answer has no item that may be shown"))
        return _answer(found, kept[: terms.limit], subject, terms.why, ms)

    def rank(self, question: TailAsk, subject: str, why: str, deadline: float) -> Answer:
        """The items of the question in their best order, those that the models do not know last; TailFailure."""
        found, ms = self._ask(question, deadline)
        kept = list(zip(found.item_ids, found.scores, strict=True))
        known = frozenset(found.item_ids)
        unknown = [item for item in question.items or () if item not in known]
        least = min(found.scores, default=0.0)
        reason = f"{why}; {UNKNOWN_LAST}" if unknown else why
        return _answer(found, [*kept, *((item, least) for item in unknown)], subject, reason, ms)

    def close(self) -> None:
        """Close every connection."""
        self._answers.close()

    def _ask(self, question: TailAsk, redis_deadline: float) -> tuple[TailAnswer, float]:
        started = time.perf_counter()
        try:
            answer = self._answers.ask(question, self._clock.for_inference(redis_deadline))
            if len(answer.item_ids) != len(answer.scores) or not all(map(math.isfinite, answer.scores)):
                raise TailFailure(FAILED, "the answer has items without a score")
        except TailFailure as failure:
            raise self._counted(failure) from None
        finally:
            seconds = time.perf_counter() - started
            self._metrics.tail_waited(seconds)
        return answer, seconds * 1_000

    def _counted(self, failure: TailFailure) -> TailFailure:
        self._metrics.tail_failed(failure.kind)
        return failure


def _answer(found: TailAnswer, kept: Sequence[tuple[str, float]], subject: str, why: str, ms: float) -> Answer:
    now = time.time()
    stamp = format_instant(datetime.fromtimestamp(now, UTC))
    known = f"known items: {found.known_items}, items of the session: {found.session_items}"
    head = AnswerHead(subject, SOURCE_ON_DEMAND, f"{why}; computed now ({known})", found.version, stamp)
    body = encode_answer(head, [item for item, _ in kept], [score for _, score in kept])
    stages = ((f"inference.{name}", stage_ms) for name, stage_ms in found.timings_ms)
    return Answer(body, SOURCE_ON_DEMAND, now, (("inference", ms), *stages))

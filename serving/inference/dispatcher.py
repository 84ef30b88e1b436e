"""Who gets which question: equal ones are computed once, late ones are dropped, and too many are refused at once.

Nothing here waits or touches a socket; the clock and the workers are handed in.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from serving.inference import messages, tally
from serving.inference.answer_cache import AnswerCache
from serving.inference.questions import Caller, FatalQuestions, Line, Question, Waiter
from serving.inference.tally import Tally

logger = logging.getLogger(__name__)

STALLED_SECONDS = 0.3  # a worker that is at one question for longer is not counted on
PAUSE_SECONDS = 0.5  # ticks further apart than this: this process itself was held up, and not its workers
ADMITTED_SHARE = 0.6  # of its budget may be what a question is foreseen to take: what is foreseen is a mean
FIRST_GUESS_SECONDS, NEWEST_SHARE = 0.005, 0.1  # of the running mean of what one question takes


class Worker(Protocol):
    """A process that works on one question at a time."""

    def send(self, budget_ms: int, digest: bytes, body: bytes) -> None:
        """Hand over a question; the dispatcher hears `finished` or `lost` of it."""
        ...

    def check(self, seconds: float, patience_seconds: float) -> None:
        """See whether it lives, while it has nothing to do; called with every tick."""
        ...

    def end(self) -> None:
        """Let it go, as it has nothing to do."""
        ...

    def kill(self, cause: str) -> None:
        """End it by force; the dispatcher hears `lost`."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, how long an answer is kept, and how long one question may take."""

    queue: int = 64
    cache_seconds: float = 3.0
    stuck_seconds: float = 2.0


@dataclass(slots=True)
class _Work:
    question: Question
    since: float


@dataclass(slots=True)
class Dispatcher:
    """The state of the service; every method returns at once."""

    limits: Limits = field(default_factory=Limits)
    tally: Tally = field(default_factory=Tally)
    clock: Callable[[], float] = time.monotonic
    is_draining: bool = False
    _cache: AnswerCache = field(init=False)
    _line: Line = field(init=False)
    _fatal: FatalQuestions = field(default_factory=FatalQuestions)
    _computing: dict[bytes, Question] = field(default_factory=dict)
    _serving: set[Worker] = field(default_factory=set)
    _idle: list[Worker] = field(default_factory=list)
    _busy: dict[Worker, _Work] = field(default_factory=dict)
    _mean_seconds: float = FIRST_GUESS_SECONDS
    _ticked_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._cache = AnswerCache(self.limits.cache_seconds)
        self._line = Line(self.limits.queue)
        self._ticked_at = self.clock()

    @property
    def is_ready(self) -> bool:
        """Whether somebody may answer."""
        return bool(self._serving) and not self.is_draining

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits or is being computed."""
        return not self._line and not self._busy

    def ask(self, caller: Caller, number: int, budget_ms: int, digest: bytes, body: bytes) -> None:
        """Take a question; the caller is answered now or later, by its budget."""
        now = self.clock()
        kept = self._cache.get(digest, now)
        if kept is not None:
            self.tally.count[tally.CACHED]()
            caller.reply(number, messages.ANSWERED, kept)
            return
        waiter = Waiter(caller, number, now + budget_ms / 1_000)
        same = self._computing.get(digest) or self._line.get(digest)
        if same is not None:
            self.tally.count[tally.JOINED]()
            same.waiters.append(waiter)
            return
        refusal = self._refusal(digest, budget_ms, now)
        if refusal is not None:
            status, outcome, why = refusal
            self.tally.count[outcome]()
            caller.reply(number, status, why)
            return
        self._place(Question(digest, body, now, [waiter]), now)

    def joined(self, worker: Worker) -> None:
        """A warm worker takes questions from now on."""
        self._serving.add(worker)
        self._rest(worker)

    def finished(self, worker: Worker, status: int, body: bytes) -> None:
        """A worker has answered its question."""
        work, now = self._busy.pop(worker), self.clock()
        took = now - work.since
        self._mean_seconds += NEWEST_SHARE * (min(took, STALLED_SECONDS) - self._mean_seconds)
        self.tally.computed(took)
        self.tally.count[tally.COMPUTED if status == messages.ANSWERED else tally.FAILED]()
        question = work.question
        if self._close(question) and status == messages.ANSWERED:
            self._cache.put(question.digest, body, now)
        question.reply(status, body)
        self._rest(worker)

    def lost(self, worker: Worker) -> None:
        """A worker has ended; what it was at has failed."""
        self._serving.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        work = self._busy.pop(worker, None)
        if work is not None:
            self._fatal.blame(work.question.digest, self.clock())
            self._close(work.question)
            self.tally.count[tally.FAILED]()
            work.question.reply(messages.FAILED, b"the worker ended over this question")

    def ended_unasked(self, cause: str) -> None:
        """Count the end of a worker that nobody wanted."""
        self.tally.worker_ended[cause]()

    def switch(self, workers: Iterable[Worker], version: str) -> None:
        """Give every new question to these workers; the others end as soon as they have answered theirs."""
        retired, self._serving = self._serving, set(workers)
        self._idle = []
        self._computing = {}  # nobody joins a question that the models of before answer
        self._cache.clear()
        self.tally.switched(version)
        for worker in retired - self._busy.keys():
            worker.end()
        for worker in self._serving:
            self._rest(worker)

    def forget_answers(self) -> None:
        """Let no kept answer be given: what may be shown has changed."""
        self._cache.clear()
        self._computing = {}

    def tick(self) -> None:
        """Drop what is late and kill who is stuck; to be called every few milliseconds."""
        now = self.clock()
        pause = now - self._ticked_at
        self._ticked_at = now
        for question in [*self._line, *(work.question for work in self._busy.values())]:
            self._drop_late(question, now)
        for question in [question for question in self._line if not question.waiters]:
            self._line.remove(question)
        for worker, work in list(self._busy.items()):
            if pause > PAUSE_SECONDS:
                work.since += pause
            elif now - work.since > self.limits.stuck_seconds:
                worker.kill(tally.STUCK)
        for worker in list(self._idle):
            worker.check(min(pause, PAUSE_SECONDS), self.limits.stuck_seconds)
        self._cache.trim(now)

    def refresh_gauges(self) -> None:
        """Set what is measured at the moment of asking."""
        self.tally.set_gauges(
            waiting=len(self._line), capacity=self.limits.queue, idle=len(self._idle), busy=len(self._busy)
        )

    def _refusal(self, digest: bytes, budget_ms: int, now: float) -> tuple[int, str, bytes] | None:
        if self.is_draining or not self._serving:
            return messages.NOT_READY, tally.NOT_READY, b"no worker has its models loaded"
        if self._fatal.holds(digest, now):
            return messages.FAILED, tally.FAILED, b"workers have ended over this question"
        if budget_ms <= 0:
            return messages.LATE, tally.LATE, b"it came with no time left"
        if self._idle:
            return None
        counted_on = sum(now - work.since < STALLED_SECONDS for work in self._busy.values())
        wait = self._mean_seconds * ((len(self._line) + 1) / max(1, counted_on) + 1)
        if not counted_on or self._line.is_full or wait * 1_000 > ADMITTED_SHARE * budget_ms:
            return messages.BUSY, tally.BUSY, b"too many questions wait"
        return None

    def _place(self, question: Question, now: float) -> None:
        if self._idle:
            self._start(self._idle.pop(), question, now)
        else:
            self._line.add(question)

    def _rest(self, worker: Worker) -> None:
        """A worker has nothing to do: give it the next question that can still be answered in time."""
        if worker not in self._serving:
            worker.end()
            return
        now = self.clock()
        while (question := self._line.take_first()) is not None:
            self._drop_late(question, now)
            if question.waiters:
                self._start(worker, question, now)
                return
        self._idle.append(worker)

    def _start(self, worker: Worker, question: Question, now: float) -> None:
        self._busy[worker] = _Work(question, now)
        self._computing[question.digest] = question
        self.tally.waited(now - question.asked_at)
        worker.send(max(1, int((question.deadline - now) * 1_000)), question.digest, question.body)

    def _drop_late(self, question: Question, now: float) -> None:
        for waiter in question.take_late(now):
            self.tally.count[tally.LATE]()
            waiter.caller.reply(waiter.number, messages.LATE)

    def _close(self, question: Question) -> bool:
        """Let nobody else join it; whether the models and items that it was asked of are still the same."""
        if self._computing.get(question.digest) is not question:
            return False
        del self._computing[question.digest]
        return True

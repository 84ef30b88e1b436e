"""Equal questions are computed once, late ones dropped, too many refused at once; a stuck worker is killed."""

from dataclasses import dataclass, field

import pytest

from serving.inference import tally
from serving.inference.answer_cache import AnswerCache
from serving.inference.dispatcher import Dispatcher, Limits
from serving.inference.messages import ANSWERED, BUSY, FAILED, LATE, NOT_READY, digest_of
from serving.inference.questions import FATAL_DEATHS, FATAL_SECONDS

BUDGET_MS = 100
LIMITS = Limits(queue=3, cache_seconds=2.0, stuck_seconds=1.0)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class ListWorker:
    """Writes down what it is handed."""

    bodies: list[bytes] = field(default_factory=list)
    ended: bool = False
    killed_for: str = ""
    checked_seconds: float = 0.0

    def send(self, budget_ms: int, digest: bytes, body: bytes) -> None:
        assert budget_ms > 0
        assert digest == digest_of(body)
        self.bodies.append(body)

    def check(self, seconds: float, patience_seconds: float) -> None:
        assert patience_seconds == LIMITS.stuck_seconds
        self.checked_seconds += seconds

    def end(self) -> None:
        self.ended = True

    def kill(self, cause: str) -> None:
        self.killed_for = cause


@dataclass(eq=False)
class ListCaller:
    """Writes down what it is answered: status and body by number."""

    replies: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    is_gone: bool = False

    def reply(self, number: int, status: int, body: bytes = b"") -> None:
        assert number not in self.replies
        self.replies[number] = (status, body)


class Bench:
    """A dispatcher with one caller, whose questions are numbered in order."""

    def __init__(self, workers: int) -> None:
        self.clock, self.caller = Clock(), ListCaller()
        self.dispatcher = Dispatcher(LIMITS, clock=self.clock)
        self.workers = [ListWorker() for _ in range(workers)]
        self.dispatcher.switch(self.workers, "v1")
        self.asked = 0

    def ask(self, body: bytes, *, budget_ms: int = BUDGET_MS, caller: ListCaller | None = None) -> int:
        self.asked += 1
        self.dispatcher.ask(caller or self.caller, self.asked, budget_ms, digest_of(body), body)
        return self.asked

    def status(self, number: int) -> int | None:
        return self.caller.replies.get(number, (None, b""))[0]

    def finish(self, worker: ListWorker, status: int = ANSWERED) -> None:
        self.dispatcher.finished(worker, status, b"answer to " + worker.bodies[-1])

    def tick(self, seconds: float) -> None:
        """Let time pass as the service's ticks do."""
        for _ in range(round(seconds / 0.1)):
            self.clock.now += 0.1
            self.dispatcher.tick()


@pytest.fixture
def one() -> Bench:
    return Bench(workers=1)


@pytest.fixture
def two() -> Bench:
    return Bench(workers=2)


def test_a_question_is_answered_by_an_idle_worker(one: Bench) -> None:
    number = one.ask(b"a")
    one.finish(one.workers[0])
    assert one.caller.replies == {number: (ANSWERED, b"answer to a")}


def test_a_thousand_equal_questions_are_computed_once(two: Bench) -> None:
    numbers = [two.ask(b"a") for _ in range(1_000)]
    [busy] = [worker for worker in two.workers if worker.bodies]
    assert busy.bodies == [b"a"]
    two.finish(busy)
    assert {two.caller.replies[number] for number in numbers} == {(ANSWERED, b"answer to a")}


def test_equal_questions_that_wait_are_computed_once_too(one: Bench) -> None:
    one.ask(b"a")
    waiting = [one.ask(b"b") for _ in range(10)]
    one.finish(one.workers[0])
    one.finish(one.workers[0])
    assert one.workers[0].bodies == [b"a", b"b"]
    assert {one.status(number) for number in waiting} == {ANSWERED}


def test_an_answer_is_kept_for_a_few_seconds(one: Bench) -> None:
    one.ask(b"a")
    one.finish(one.workers[0])
    again = one.ask(b"a")
    assert one.caller.replies[again] == (ANSWERED, b"answer to a")
    one.tick(2.1)
    later = one.ask(b"a")
    assert one.status(later) is None
    assert one.workers[0].bodies == [b"a", b"a"]


def test_a_failure_is_not_kept(one: Bench) -> None:
    one.ask(b"a")
    one.finish(one.workers[0], FAILED)
    one.ask(b"a")
    assert one.workers[0].bodies == [b"a", b"a"]


def test_a_full_queue_refuses_at_once(one: Bench) -> None:
    waiting = [one.ask(body) for body in (b"a", b"b", b"c", b"d")]
    refused = one.ask(b"e")
    assert one.status(refused) == BUSY
    assert not any(one.status(number) for number in waiting)


def test_a_question_that_would_wait_too_long_is_refused_at_once(one: Bench) -> None:
    for turn in range(30):  # each takes 25 ms
        one.ask(b"%d" % turn)
        one.clock.now += 0.025
        one.finish(one.workers[0])
    one.ask(b"a")
    assert one.status(one.ask(b"b")) is None
    assert one.status(one.ask(b"c")) == BUSY


def test_what_is_late_is_told_and_never_computed(one: Bench) -> None:
    one.ask(b"a", budget_ms=10_000)
    late = one.ask(b"b", budget_ms=50)
    one.tick(0.1)
    assert one.status(late) == LATE
    one.finish(one.workers[0])
    assert one.workers[0].bodies == [b"a"]
    assert one.status(one.ask(b"c", budget_ms=0)) == LATE


def test_what_became_late_between_two_ticks_is_never_computed(one: Bench) -> None:
    one.ask(b"a", budget_ms=10_000)
    late = one.ask(b"b", budget_ms=50)
    one.clock.now += 0.1
    one.finish(one.workers[0])
    assert one.status(late) == LATE
    assert one.workers[0].bodies == [b"a"]


def test_who_hung_up_is_not_computed_for(one: Bench) -> None:
    gone = ListCaller()
    one.ask(b"a")
    one.ask(b"b", caller=gone)
    gone.is_gone = True
    one.finish(one.workers[0])
    assert one.workers[0].bodies == [b"a"]


def test_a_stuck_worker_is_killed_and_its_question_fails(two: Bench) -> None:
    number = two.ask(b"a", budget_ms=10_000)
    [stuck] = [worker for worker in two.workers if worker.bodies]
    two.tick(1.2)
    assert stuck.killed_for == tally.STUCK
    two.dispatcher.lost(stuck)
    assert two.status(number) == FAILED
    [other] = [worker for worker in two.workers if worker is not stuck]
    two.ask(b"b")
    assert other.bodies == [b"b"]


def test_a_pause_of_the_dispatcher_itself_kills_nobody(one: Bench) -> None:
    one.ask(b"a")
    one.clock.now += 60.0
    one.dispatcher.tick()
    one.tick(0.5)
    assert not one.workers[0].killed_for


def test_workers_with_nothing_to_do_are_seen_after_and_busy_ones_are_not(two: Bench) -> None:
    two.ask(b"a")
    two.tick(1.0)
    [idle] = [worker for worker in two.workers if not worker.bodies]
    [busy] = [worker for worker in two.workers if worker.bodies]
    assert idle.checked_seconds == pytest.approx(1.0)
    assert busy.checked_seconds == 0.0


def test_nothing_is_put_behind_workers_that_are_all_stalled(one: Bench) -> None:
    one.ask(b"a")
    one.tick(0.4)
    assert one.status(one.ask(b"b")) == BUSY


def test_without_workers_nobody_waits(one: Bench) -> None:
    one.dispatcher.lost(one.workers[0])
    assert one.status(one.ask(b"a")) == NOT_READY


def test_a_question_that_keeps_ending_workers_is_refused_for_a_while(one: Bench) -> None:
    for _ in range(FATAL_DEATHS):
        one.ask(b"poison")
        one.dispatcher.lost(one.workers[0])
        one.dispatcher.joined(one.workers[0])
    handed = len(one.workers[0].bodies)
    assert one.status(one.ask(b"poison")) == FAILED
    assert len(one.workers[0].bodies) == handed
    one.tick(FATAL_SECONDS + 1)
    one.ask(b"poison")
    assert len(one.workers[0].bodies) == handed + 1
    one.dispatcher.lost(one.workers[0])
    one.dispatcher.joined(one.workers[0])
    one.tick(FATAL_SECONDS + 1)
    assert one.status(one.ask(b"poison")) == FAILED  # now for twice as long


def test_asking_again_while_workers_end_for_other_reasons_is_no_crime(two: Bench) -> None:
    for _ in range(2):
        two.ask(b"innocent")
        [busy] = [worker for worker in two.workers if worker.bodies and not worker.ended]
        two.dispatcher.lost(busy)
        busy.ended = True
    fresh = ListWorker()
    two.dispatcher.joined(fresh)
    two.ask(b"innocent")
    assert fresh.bodies == [b"innocent"]


def test_a_switch_moves_new_questions_at_once_and_fails_none(one: Bench) -> None:
    running, waiting = one.ask(b"a"), one.ask(b"b")
    fresh = ListWorker()
    one.dispatcher.switch([fresh], "v2")
    assert fresh.bodies == [b"b"]
    assert not one.workers[0].ended  # it is still at a question
    joined = one.ask(b"a")  # as the models of before answer the first, this is another computation
    one.finish(one.workers[0])
    assert one.workers[0].ended
    assert one.status(running) == ANSWERED
    one.finish(fresh)
    one.finish(fresh)
    assert fresh.bodies == [b"b", b"a"]
    assert (one.status(waiting), one.status(joined)) == (ANSWERED, ANSWERED)


def test_answers_of_the_models_before_are_not_kept_over_a_switch(one: Bench) -> None:
    one.ask(b"a")
    one.finish(one.workers[0])
    one.ask(b"b")
    fresh = ListWorker()
    one.dispatcher.switch([fresh], "v2")
    one.finish(one.workers[0])
    assert one.status(one.ask(b"a")) is None
    one.finish(fresh)
    assert one.status(one.ask(b"b")) is None
    assert fresh.bodies == [b"a", b"b"]


def test_a_change_of_what_may_be_shown_forgets_answers_under_way_too(one: Bench) -> None:
    one.ask(b"a")
    one.dispatcher.forget_answers()
    one.finish(one.workers[0])
    one.ask(b"a")
    assert one.workers[0].bodies == [b"a", b"a"]


def test_draining_answers_what_was_asked_and_takes_nothing_new(one: Bench) -> None:
    number = one.ask(b"a")
    one.dispatcher.is_draining = True
    assert one.status(one.ask(b"b")) == NOT_READY
    assert not one.dispatcher.is_quiet
    one.finish(one.workers[0])
    assert one.status(number) == ANSWERED
    assert one.dispatcher.is_quiet


def test_metrics_tell_the_depth_of_the_queue_and_what_became_of_questions(one: Bench) -> None:
    for body in (b"a", b"b", b"c", b"a"):
        one.ask(body)
    one.dispatcher.refresh_gauges()
    text = one.dispatcher.tally.exposition().decode()
    assert "headrace_inference_queue_depth 2.0" in text
    assert 'headrace_inference_workers{state="busy"} 1.0' in text
    assert 'headrace_inference_questions_total{outcome="joined"} 1.0' in text
    assert 'headrace_inference_model_info{version="v1"} 1.0' in text


def test_the_cache_is_bounded_in_bytes_oldest_out_first() -> None:
    cache = AnswerCache(10.0, max_bytes=10)
    for turn, digest in enumerate((b"1", b"2", b"3")):
        cache.put(digest, b"four", float(turn))
    assert [cache.get(digest, 3.0) for digest in (b"1", b"2", b"3")] == [None, b"four", b"four"]
    cache.put(b"2", b"more", 4.0)
    cache.put(b"4", b"four", 5.0)
    assert [cache.get(digest, 6.0) for digest in (b"2", b"3", b"4")] == [b"more", None, b"four"]


def test_a_cache_of_no_time_keeps_nothing() -> None:
    cache = AnswerCache(0.0)
    cache.put(b"1", b"x", 1.0)
    assert cache.get(b"1", 1.0) is None

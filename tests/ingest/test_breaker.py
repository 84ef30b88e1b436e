"""The breaker opens on failures, probes once at a time, and closes on success."""

import threading

import pytest

from ingest.breaker import (
    CLOSED,
    CONSECUTIVE_FAILURES,
    HALF_OPEN,
    JITTER_SHARE,
    OPEN,
    PROBE_SECONDS,
    WINDOW_CALLS,
    Breaker,
)

OPEN_SECONDS = 10.0
LONGEST_OPEN = OPEN_SECONDS * (1 + JITTER_SHARE)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(OPEN_SECONDS, clock)


def open_it(breaker: Breaker) -> None:
    for _ in range(CONSECUTIVE_FAILURES):
        assert breaker.allows()
        breaker.failed()


def test_it_opens_after_consecutive_failures_and_refuses(breaker: Breaker) -> None:
    open_it(breaker)
    assert breaker.state == OPEN
    assert not breaker.allows()


def test_a_success_between_failures_keeps_it_closed(breaker: Breaker) -> None:
    for _ in range(CONSECUTIVE_FAILURES - 1):
        breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.state == CLOSED


def test_it_opens_when_half_of_many_calls_fail(breaker: Breaker) -> None:
    for _ in range(WINDOW_CALLS // 2):
        breaker.succeeded()
        breaker.failed()
    assert breaker.state == OPEN


def test_one_probe_at_a_time_after_the_open_time(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += OPEN_SECONDS * (1 - JITTER_SHARE) - 0.01
    assert not breaker.allows()
    clock.now += LONGEST_OPEN
    assert breaker.state == HALF_OPEN
    assert [breaker.allows() for _ in range(3)] == [True, False, False]


def test_a_successful_probe_closes_and_forgets(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += LONGEST_OPEN
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.state == CLOSED
    for _ in range(CONSECUTIVE_FAILURES - 1):
        breaker.failed()
    assert breaker.state == CLOSED


def test_a_failed_probe_opens_again(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += LONGEST_OPEN
    assert breaker.allows()
    breaker.failed()
    assert breaker.state == OPEN
    assert not breaker.allows()


def test_a_probe_that_never_reports_is_given_up(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += LONGEST_OPEN
    assert breaker.allows()
    clock.now += PROBE_SECONDS
    assert breaker.allows()


def test_a_call_in_progress_holds_up_nobody(breaker: Breaker) -> None:
    breaker.failed()
    assert breaker.allows()  # this caller is inside its call and has not reported
    others = [threading.Thread(target=lambda: breaker.allows() and breaker.succeeded(), daemon=True) for _ in range(4)]
    for other in others:
        other.start()
    for other in others:
        other.join(timeout=5)
    assert not any(other.is_alive() for other in others)


def test_open_times_differ_between_processes(clock: Clock) -> None:
    def first_probe_at() -> float:
        breaker, clock.now = Breaker(OPEN_SECONDS, clock), 100.0
        open_it(breaker)
        while not breaker.allows():
            clock.now += 0.01
        return clock.now

    assert len({first_probe_at() for _ in range(20)}) > 1


def test_it_opens_when_most_of_many_calls_are_slow(clock: Clock) -> None:
    breaker = Breaker(OPEN_SECONDS, clock, slow_seconds=0.1)
    for _ in range(WINDOW_CALLS - 1):
        breaker.succeeded(0.2)
    assert breaker.state == CLOSED  # the window is not full
    breaker.succeeded(0.05)
    assert breaker.state == CLOSED
    breaker.succeeded(0.2)
    assert breaker.state == OPEN


def test_a_few_slow_calls_among_quick_ones_keep_it_closed(clock: Clock) -> None:
    breaker = Breaker(OPEN_SECONDS, clock, slow_seconds=0.1)
    for turn in range(4 * WINDOW_CALLS):
        breaker.succeeded(0.2 if turn % 3 else 0.05)
    assert breaker.state == CLOSED


def test_as_many_probes_at_a_time_as_it_was_given_and_so_many_close_it(clock: Clock) -> None:
    breaker = Breaker(OPEN_SECONDS, clock, probes=3)
    open_it(breaker)
    clock.now += LONGEST_OPEN
    assert [breaker.allows() for _ in range(4)] == [True, True, True, False]
    breaker.succeeded()
    breaker.succeeded()
    assert breaker.state == HALF_OPEN
    breaker.succeeded()
    assert breaker.state == CLOSED


def test_a_slow_probe_opens_again(clock: Clock) -> None:
    breaker = Breaker(OPEN_SECONDS, clock, slow_seconds=0.1, probes=3)
    open_it(breaker)
    clock.now += LONGEST_OPEN
    assert breaker.allows()
    breaker.succeeded(0.2)
    assert breaker.state == OPEN
    clock.now += LONGEST_OPEN
    for _ in range(3):
        assert breaker.allows()
        breaker.succeeded()
    assert breaker.state == CLOSED

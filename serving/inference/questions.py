"""What waits for a worker, who asked for it, and what became too dangerous to be tried again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

FATAL_DEATHS = 3  # workers that a question has ended, after which no other gets it for a while
FATAL_SECONDS, LONGEST_FATAL_SECONDS = 10.0, 300.0
REMEMBERED_SECONDS = 600.0


class Caller(Protocol):
    """Somebody who asks over a connection."""

    @property
    def is_gone(self) -> bool:
        """Whether nobody reads there any more."""
        ...

    def reply(self, number: int, status: int, body: bytes = b"") -> None:
        """Answer the question that came with this number."""
        ...


class Waiter(NamedTuple):
    """One who waits for an answer; `deadline` is an instant of the dispatcher's clock."""

    caller: Caller
    number: int
    deadline: float


@dataclass(slots=True, eq=False)
class Question:
    """One computation and all who wait for it."""

    digest: bytes
    body: bytes
    asked_at: float
    waiters: list[Waiter] = field(default_factory=list)

    @property
    def deadline(self) -> float:
        """When the last of its waiters has gone."""
        return max((waiter.deadline for waiter in self.waiters), default=0.0)

    def reply(self, status: int, body: bytes = b"") -> None:
        """Answer everybody who waits."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.caller.reply(waiter.number, status, body)

    def take_late(self, now: float) -> list[Waiter]:
        """Those whose deadline has passed, who wait no longer; whoever hung up is let go too."""
        late = [waiter for waiter in self.waiters if waiter.deadline <= now]
        if late or any(waiter.caller.is_gone for waiter in self.waiters):
            self.waiters = [one for one in self.waiters if one.deadline > now and not one.caller.is_gone]
        return late


class Line:
    """Questions in the order in which they came, at most `capacity`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._by_digest: dict[bytes, Question] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

    def __iter__(self) -> Iterator[Question]:
        return iter(self._by_digest.values())

    @property
    def is_full(self) -> bool:
        """Whether nobody else may stand in it."""
        return len(self._by_digest) >= self._capacity

    def get(self, digest: bytes) -> Question | None:
        """The equal question that waits already."""
        return self._by_digest.get(digest)

    def add(self, question: Question) -> None:
        """Stand at the end."""
        self._by_digest[question.digest] = question

    def remove(self, question: Question) -> None:
        """Leave the line."""
        del self._by_digest[question.digest]

    def take_first(self) -> Question | None:
        """Who is next, if anybody."""
        for question in self._by_digest.values():
            self.remove(question)
            return question
        return None


class FatalQuestions:
    """Questions in whose midst workers ended: from FATAL_DEATHS on, each keeps it from being asked twice as long.

    Fewer say nothing: somebody who asks again meets every worker that was stopped for another reason.
    """

    def __init__(self) -> None:
        self._deaths: dict[bytes, tuple[int, float]] = {}  # how many, and when the last was

    def blame(self, digest: bytes, now: float) -> None:
        """A worker ended over this question."""
        since = now - REMEMBERED_SECONDS
        self._deaths = {name: value for name, value in self._deaths.items() if value[1] > since}
        deaths, _ = self._deaths.get(digest, (0, 0.0))
        self._deaths[digest] = (deaths + 1, now)

    def holds(self, digest: bytes, now: float) -> bool:
        """Whether it must not be asked."""
        if not self._deaths:
            return False
        deaths, last_at = self._deaths.get(digest, (0, 0.0))
        if deaths < FATAL_DEATHS:
            return False
        return now - last_at < min(FATAL_SECONDS * 2.0 ** min(deaths - FATAL_DEATHS, 16), LONGEST_FATAL_SECONDS)

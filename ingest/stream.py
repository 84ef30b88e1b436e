"""The stream as the rest sees it: appends durable on return, and a reader that forgets only what it is told to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.errors import HeadraceError
from contracts.records import Record


class StreamFull(HeadraceError):
    """What is not archived yet fills the stream; the sender must wait (503, Retry-After)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as the stream holds it. `offset` is the backend's; offsets of one partition only grow."""

    offset: str
    record: Record
    appended_at: float


class Producer(Protocol):
    """The writing side; safe to share between threads."""

    def append(self, records: Sequence[Record], deadline: float) -> list[bool]:
        """Append in order; for each whether it is new (False: a duplicate, not appended). Durable when it returns.

        `deadline` is an instant of time.monotonic(). StoreUnavailable when the server does not answer by then (some may
        have been appended: appending the same again is safe), StreamFull when nothing more fits.
        """
        ...

    def close(self) -> None:
        """Close every connection."""
        ...

    def close_mine(self) -> None:
        """Close the calling thread's connections, because that thread is about to end."""
        ...


class Consumer(Protocol):
    """The reading side; one at a time."""

    def read(self, count: int, wait_seconds: float) -> list[Entry]:
        """Up to `count` entries after the last one read (at first: after the last one forgotten); waits for one."""
        ...

    def forget(self, through: Sequence[Entry]) -> None:
        """Acknowledge entries that are archived and let the stream trim them."""
        ...

    def lag_seconds(self) -> float:
        """Age of the oldest entry that is not forgotten; 0 when there is none."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...

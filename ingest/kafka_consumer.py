"""Records out of a Kafka topic, with the group's offsets committed only for what is archived.

All partitions are assigned by hand: there is one reader at a time, held so by a lock file, and joining a group takes
seconds in which nobody reads. A broker keeps records by its retention, whether they were archived or not.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from contracts.errors import StoreUnavailable
from ingest.record_frames import decode_or_wrap
from ingest.stream import Entry
from ingest.stream_url import KafkaAddress

GROUP = "archiver"
ANSWER_SECONDS, PARTITIONS_SECONDS = 10.0, 30.0
POLL_COUNT = 1_000
REST_SECONDS = 0.05  # wait for more, once there is something
SETTINGS: dict[str, Any] = {
    "group.id": GROUP,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "queued.max.messages.kbytes": 65_536,
    "log_level": 0,
}


_T = TypeVar("_T")


@dataclass(slots=True)
class _Partition:
    """Where a partition stands: the offset after what is forgotten, and when what was read since was appended."""

    after: int
    forgotten_at: float = 0.0
    read: deque[tuple[int, float]] = field(default_factory=deque)

    def forget(self, after: int) -> None:
        self.after = max(self.after, after)
        while self.read and self.read[0][0] < self.after:
            self.forgotten_at = self.read.popleft()[1]

    @property
    def oldest_at(self) -> float:
        """No later than the oldest entry that is not forgotten."""
        return self.read[0][1] if self.read else self.forgotten_at


class KafkaConsumer:
    """Reads all partitions of one topic; one at a time. Offsets are `<partition>:<offset>`."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._consumer = Consumer({"bootstrap.servers": address.brokers, **SETTINGS, **dict(address.options)})
        self._partitions: dict[int, _Partition] = {}
        self._looked_at = float("-inf")

    def read(self, count: int, wait_seconds: float) -> list[Entry]:
        """Up to `count` entries, waiting for the first; StoreUnavailable."""
        self._look_for_partitions()
        entries = self._consume(1, wait_seconds)
        while entries and len(entries) < count:
            more = self._consume(min(POLL_COUNT, count - len(entries)), REST_SECONDS)
            if not more:
                break
            entries += more
        return entries

    def forget(self, through: Sequence[Entry]) -> None:
        """Commit the position after these entries, partition by partition; StoreUnavailable."""
        after: dict[int, int] = {}
        for entry in through:
            partition, offset = map(int, entry.offset.split(":"))
            after[partition] = max(after.get(partition, 0), offset + 1)
        if after:
            positions = [TopicPartition(self._address.topic, partition, at) for partition, at in after.items()]
            self._tried(lambda: self._consumer.commit(offsets=positions, asynchronous=False))
        for partition, at in after.items():
            self._partitions.setdefault(partition, _Partition(0)).forget(at)

    def lag_seconds(self) -> float:
        """Age of the oldest entry that is not forgotten (at least: where none was read, of the last forgotten one)."""
        self._look_for_partitions()
        behind = [state for number, state in self._partitions.items() if state.read or self._end(number) > state.after]
        return max((max(time.time() - state.oldest_at, 1e-9) for state in behind), default=0.0)

    def close(self) -> None:
        """Leave, committing nothing."""
        self._consumer.close()

    def _consume(self, count: int, wait_seconds: float) -> list[Entry]:
        """What is there; consume() waits for all of `count` or the whole time."""
        return [self._entry(message) for message in self._tried(lambda: self._consumer.consume(count, wait_seconds))]

    def _entry(self, message: Message) -> Entry:
        error = message.error()
        if error is not None:
            raise StoreUnavailable(f"Kafka at {self._address.brokers} gave no records: {error}")
        partition, offset = int(message.partition() or 0), int(message.offset() or 0)
        appended_at = message.timestamp()[1] / 1000
        self._partitions[partition].read.append((offset, appended_at))
        return Entry(f"{partition}:{offset}", decode_or_wrap(message.value() or b""), appended_at)

    def _end(self, partition: int) -> int:
        where = TopicPartition(self._address.topic, partition)
        ends = self._tried(lambda: self._consumer.get_watermark_offsets(where, timeout=ANSWER_SECONDS, cached=False))
        return int(ends[1]) if ends else 0

    def _look_for_partitions(self) -> None:
        """Assign the partitions that are new since the last look."""
        if time.monotonic() - self._looked_at < PARTITIONS_SECONDS:
            return
        topic = self._address.topic
        found = self._tried(lambda: self._consumer.list_topics(topic, timeout=ANSWER_SECONDS)).topics[topic]
        if found.error is not None:
            raise StoreUnavailable(
                f"Kafka at {self._address.brokers} has no topic {topic!r} ({found.error}); create it"
            )
        new = [TopicPartition(topic, partition) for partition in found.partitions if partition not in self._partitions]
        if new:
            stored = self._tried(lambda: self._consumer.committed(new, timeout=ANSWER_SECONDS))
            for at in stored:
                at.offset = at.offset if at.offset >= 0 else OFFSET_BEGINNING
                self._partitions[at.partition] = _Partition(max(at.offset, 0))
            self._tried(lambda: self._consumer.incremental_assign(stored))
        self._looked_at = time.monotonic()

    def _tried(self, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except KafkaException as error:
            raise StoreUnavailable(f"Kafka at {self._address.brokers} did not answer: {error}") from error

"""The backends of the stream, each as something that the suite can append to, read from and fill up."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from contracts.records import EVENT, Record
from ingest.kafka_consumer import KafkaConsumer
from ingest.kafka_producer import KafkaProducer
from ingest.memory_stream import MemoryConsumer, MemoryStream
from ingest.redis_consumer import RedisConsumer
from ingest.redis_stream import RedisProducer
from ingest.stream import Consumer, Entry, Producer
from ingest.stream_url import parse_kafka
from tests.kafka_broker import KafkaBroker

ROOMY_BYTES, TIGHT_BYTES = 1024**3, 20_000
SECONDS = 15.0
_topics = itertools.count()


@dataclass(frozen=True, slots=True)
class Backend:
    """One stream, empty at first. What a backend cannot do is said here, and tested for where the others are."""

    producer: Producer
    make_consumer: Callable[[], Consumer]
    tight_producer: Producer
    make_tight_consumer: Callable[[], Consumer]
    knows_duplicates: bool = True
    refuses_when_full: bool = True
    opened: list[Consumer] = field(default_factory=list)

    def open_consumer(self) -> Consumer:
        """A new reader, closed with the backend."""
        self.opened.append(self.make_consumer())
        return self.opened[-1]

    def open_tight_consumer(self) -> Consumer:
        """A new reader of what the tight producer appends, which is the same stream where that is on a server."""
        self.opened.append(self.make_tight_consumer())
        return self.opened[-1]

    def close(self) -> None:
        """Close all that was opened."""
        for one in (self.producer, self.tight_producer, *self.opened):
            one.close()

    def append(self, *records: Record) -> list[bool]:
        """Append within a generous deadline."""
        return self.producer.append(records, time.monotonic() + SECONDS)


def memory_backend() -> Backend:
    """In this process."""
    stream, tight = MemoryStream(), MemoryStream(TIGHT_BYTES)
    return Backend(stream, lambda: MemoryConsumer(stream), tight, lambda: MemoryConsumer(tight))


def redis_backend(url: str) -> Backend:
    """On a Redis server that is empty."""
    producer, tight = (RedisProducer(url, max_bytes=limit) for limit in (ROOMY_BYTES, TIGHT_BYTES))
    return Backend(producer, lambda: RedisConsumer(url), tight, lambda: RedisConsumer(url))


def kafka_backend(broker: KafkaBroker) -> Backend:
    """In a topic of its own, of one partition: what the suite says of order is said of a partition."""
    address = parse_kafka(broker.make_topic(f"suite-{next(_topics)}", partitions=1))
    producer = KafkaProducer(address)

    def consumer() -> Consumer:
        return KafkaConsumer(address)

    return Backend(producer, consumer, producer, consumer, knows_duplicates=False, refuses_when_full=False)


def record(number: int, *, digest: int | None = None, bucket_hour: int = 490_000, kind: str = EVENT) -> Record:
    """A record that differs by its number; its digest too unless one is given."""
    payload = b"\x01payload %d" % number
    return Record(kind, f"user-{number % 7}", payload, number + 1 if digest is None else digest, bucket_hour)


def read_all(consumer: Consumer, count: int) -> list[Entry]:
    """Read until `count` entries have come, or for SECONDS."""
    entries: list[Entry] = []
    until = time.monotonic() + SECONDS
    while len(entries) < count and time.monotonic() < until:
        entries += consumer.read(count - len(entries), 0.2)
    return entries


def records_of(entries: Sequence[Entry]) -> list[Record]:
    """What the entries hold."""
    return [entry.record for entry in entries]

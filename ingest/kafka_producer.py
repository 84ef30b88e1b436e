"""Records into a Kafka topic: idempotent, acknowledged by all replicas, in order within a key.

Kafka keeps no store of ids, so every record counts as new here and the archiver drops what came twice.
"""

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from contracts.errors import StoreUnavailable
from contracts.records import Record
from ingest.record_frames import encode_record
from ingest.stream_url import KafkaAddress

# What the broker has not taken by then is given up by the client; the caller's deadline has long passed.
MESSAGE_TIMEOUT_MS = 10_000
LINGER_MS = 2
POLL_SECONDS = 0.05
CLOSE_SECONDS = 5.0
SETTINGS: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",  # the Java clients' choice for a key, so that other producers agree
    "message.timeout.ms": MESSAGE_TIMEOUT_MS,
    "linger.ms": LINGER_MS,
    "log_level": 0,
}


class KafkaProducer:
    """Appends to one topic; safe to share between threads. It connects in the process that first appends."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._made: tuple[int, Producer] | None = None

    def append(self, records: Sequence[Record], deadline: float) -> list[bool]:
        """Append in order; True for each. StoreUnavailable when not all were acknowledged by the deadline."""
        producer, batch = self._producer(), _Batch(len(records))
        for record in records:
            self._produce(producer, record, batch, deadline)
        while not batch.is_settled and (left := deadline - time.monotonic()) > 0:
            producer.poll(min(left, POLL_SECONDS))
        if batch.error is not None or not batch.is_settled:
            reason = batch.error or f"{batch.waiting} of {len(records)} records not acknowledged by the deadline"
            raise StoreUnavailable(f"Kafka at {self._address.brokers} took no records: {reason}")
        return [True] * len(records)

    def close(self) -> None:
        """Give what is under way a last moment, and disconnect."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None and made[0] == os.getpid():
            made[1].flush(CLOSE_SECONDS)

    def close_mine(self) -> None:
        """Nothing belongs to a thread."""

    def _produce(self, producer: Producer, record: Record, batch: "_Batch", deadline: float) -> None:
        value = encode_record(record)
        while True:
            try:
                producer.produce(self._address.topic, value, key=record.key.encode(), on_delivery=batch.delivered)
                return
            except (BufferError, KafkaException) as error:
                if not isinstance(error, BufferError) or time.monotonic() >= deadline:
                    raise StoreUnavailable(f"Kafka at {self._address.brokers} takes no records: {error}") from error
                producer.poll(POLL_SECONDS)

    def _producer(self) -> Producer:
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                options = {"bootstrap.servers": self._address.brokers, **SETTINGS, **dict(self._address.options)}
                self._made = (os.getpid(), Producer(options))
            return self._made[1]


class _Batch:
    """Counts the acknowledgements of one append; they may come in any thread that polls."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.error: KafkaError | None = None
        self._lock = threading.Lock()

    @property
    def is_settled(self) -> bool:
        return self.waiting == 0

    def delivered(self, error: KafkaError | None, _message: Message) -> None:
        with self._lock:
            self.waiting -= 1
            self.error = self.error or error

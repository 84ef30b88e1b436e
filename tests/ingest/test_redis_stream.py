"""The stream on Redis when its server is full, slow, killed, emptied or new; and what its keys cost."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from contracts.errors import StoreUnavailable
from contracts.settings import Settings
from headrace import stream_server
from headrace.embedded_redis import EmbeddedRedis
from ingest.consumers import open_consumer
from ingest.producers import open_producer
from ingest.record_frames import UNREADABLE
from ingest.redis_consumer import RedisConsumer
from ingest.redis_stream import SEEN_SECONDS, STREAM_KEY, RedisProducer, seen_key
from ingest.stream import StreamFull
from tests.ingest.stream_backends import ROOMY_BYTES, SECONDS, read_all, record, records_of
from tests.redis_servers import DEBIAN_SERVER


@pytest.fixture(params=[None, pytest.param(DEBIAN_SERVER, marks=pytest.mark.system)], ids=["valkey", "debian-redis"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A stream's server of this test's own."""
    with stream_server.start(tmp_path / "stream", binary=request.param) as started:
        yield started


@pytest.fixture
def producer(server: EmbeddedRedis) -> Iterator[RedisProducer]:
    opened = RedisProducer(server.url, max_bytes=ROOMY_BYTES)
    yield opened
    opened.close()


@pytest.fixture
def consumer(server: EmbeddedRedis) -> Iterator[RedisConsumer]:
    opened = RedisConsumer(server.url)
    yield opened
    opened.close()


@pytest.fixture
def client(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as opened:
        yield opened


def soon() -> float:
    return time.monotonic() + SECONDS


def test_a_server_without_memory_is_a_full_stream(
    producer: RedisProducer, consumer: RedisConsumer, client: redis.Redis
) -> None:
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 300_000)
    kept = []
    with pytest.raises(StreamFull, match="no memory left"):
        for number in range(10_000):
            producer.append([record(number)], soon())
            kept.append(record(number))
    entries = read_all(consumer, len(kept))
    assert records_of(entries) == kept
    client.config_set("maxmemory", 0)
    consumer.forget(entries)
    assert producer.append([record(10**6)], soon()) == [True]


def test_what_was_acknowledged_survives_a_kill(
    producer: RedisProducer, consumer: RedisConsumer, server: EmbeddedRedis
) -> None:
    for number in range(0, 300, 3):
        producer.append([record(n) for n in range(number, number + 3)], soon())
    consumer.forget(read_all(consumer, 100))
    server.process.kill()
    server.process.wait()
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        producer.append([record(1)], started + 0.3)
    assert time.monotonic() - started < 0.5
    with stream_server.start(server.folder, server.port):
        assert records_of(read_all(consumer, 200)) == [record(number) for number in range(100, 300)]
        assert producer.append([record(5), record(300)], soon()) == [False, True]


def test_a_frozen_server_costs_no_more_than_the_deadline(producer: RedisProducer, server: EmbeddedRedis) -> None:
    producer.append([record(1)], soon())
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="deadline"):
            producer.append([record(2)], started + 0.1)
        assert time.monotonic() - started < 0.3
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    assert producer.append([record(3)], soon()) == [True]


def test_a_server_that_forgot_the_script_gets_it_again(producer: RedisProducer, client: redis.Redis) -> None:
    producer.append([record(1)], soon())
    client.script_flush()
    assert producer.append([record(1), record(2)], soon()) == [False, True]


def test_an_emptied_server_is_read_from_its_start(
    producer: RedisProducer, consumer: RedisConsumer, client: redis.Redis
) -> None:
    producer.append([record(1)], soon())
    entries = read_all(consumer, 1)
    client.flushall()
    producer.append([record(2)], soon())
    consumer.forget(entries)
    assert records_of(read_all(consumer, 1)) == [record(2)]


def test_entries_that_are_no_records_are_handed_on(consumer: RedisConsumer, client: redis.Redis) -> None:
    client.xadd(STREAM_KEY, {"r": b"\x09what is this"})
    client.xadd(STREAM_KEY, {"other": b"field"})
    entries = read_all(consumer, 2)
    assert [(entry.record.kind, entry.record.payload) for entry in entries] == [
        (UNREADABLE, b"\x09what is this"),
        (UNREADABLE, b"field"),
    ]


def test_digests_are_remembered_for_three_days_in_few_bytes(producer: RedisProducer, client: redis.Redis) -> None:
    numbers = range(0, 4_096 * 300, 4_096)
    producer.append([record(number, digest=number + 7) for number in numbers], soon())
    key = seen_key(record(0, digest=7))
    assert client.scard(key) == 300
    assert client.object("ENCODING", key) == b"intset"
    assert SEEN_SECONDS <= client.ttl(key) <= SEEN_SECONDS + 3_600
    client.expire(key, SEEN_SECONDS - 10)
    producer.append([record(0, digest=7)], soon())
    assert client.ttl(key) < SEEN_SECONDS  # a duplicate prolongs nothing
    producer.append([record(0, digest=7 + 4_096 * 300)], soon())
    assert client.ttl(key) > SEEN_SECONDS


def test_only_what_is_archived_is_trimmed(
    producer: RedisProducer, consumer: RedisConsumer, client: redis.Redis
) -> None:
    producer.append([record(number) for number in range(10)], soon())
    entries = read_all(consumer, 10)
    assert client.xlen(STREAM_KEY) == 10
    consumer.forget(entries[:7])
    assert client.xlen(STREAM_KEY) == 3
    (group,) = client.xinfo_groups(STREAM_KEY)
    assert group["name"] == b"archiver"
    assert group["last-delivered-id"] == entries[6].offset.encode()


def test_settings_open_both_sides(server: EmbeddedRedis) -> None:
    settings = Settings(stream_url=server.url)
    producer, consumer = open_producer(settings), open_consumer(settings)
    assert producer.append([record(1)], soon()) == [True]
    assert records_of(read_all(consumer, 1)) == [record(1)]
    producer.close()
    consumer.close()

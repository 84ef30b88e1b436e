"""One suite that every backend of the stream passes; where Kafka differs, its test says how."""

import threading
import time

import pytest

from contracts.records import DEAD_LETTER, KINDS, Record
from ingest.stream import StreamFull
from tests.ingest.stream_backends import SECONDS, TIGHT_BYTES, Backend, read_all, record, records_of


def test_what_is_appended_is_read_in_order_and_whole(backend: Backend) -> None:
    sent = [record(number, kind=KINDS[number % len(KINDS)]) for number in range(200)]
    sent.append(Record(DEAD_LETTER, "ключ/\x00", bytes(range(256)), -(2**63), -5))
    assert backend.append(*sent[:120]) == [True] * 120
    assert backend.append(*sent[120:]) == [True] * 81
    entries = read_all(backend.open_consumer(), 201)
    assert records_of(entries) == sent
    assert len({entry.offset for entry in entries}) == 201
    assert all(abs(time.time() - entry.appended_at) < 60 for entry in entries)


def test_nothing_appended_is_nothing_new(backend: Backend) -> None:
    assert backend.append() == []
    assert backend.open_consumer().read(10, 0.05) == []


def test_a_digest_counts_once_within_its_hour(backend: Backend) -> None:
    first, again, other_hour = record(1), record(1), record(1, bucket_hour=490_001)
    verdicts = backend.append(first) + backend.append(again, other_hour, again)
    entries = read_all(backend.open_consumer(), 2 if backend.knows_duplicates else 4)
    if backend.knows_duplicates:
        assert verdicts == [True, False, True, False]
        assert records_of(entries) == [first, other_hour]
    else:  # Kafka appends whatever comes; that the archiver drops it is tested with the archiver
        assert verdicts == [True] * 4
        assert len(entries) == 4


def test_without_a_digest_everything_counts(backend: Backend) -> None:
    twice = record(1, digest=0)
    assert backend.append(twice, twice) == [True, True]
    assert records_of(read_all(backend.open_consumer(), 2)) == [twice, twice]


def test_a_reader_goes_on_where_it_was_and_waits(backend: Backend) -> None:
    consumer = backend.open_consumer()
    backend.append(*map(record, range(5)))
    assert records_of(read_all(consumer, 3)) == [record(0), record(1), record(2)]
    assert records_of(read_all(consumer, 2)) == [record(3), record(4)]
    assert consumer.read(5, 0.05) == []

    def append_later() -> None:
        time.sleep(0.2)
        backend.append(record(5))
        backend.producer.close_mine()

    later = threading.Thread(target=append_later)
    later.start()
    started = time.monotonic()
    assert records_of(consumer.read(5, SECONDS)) == [record(5)]
    assert time.monotonic() - started < SECONDS / 2
    later.join()


def test_a_new_reader_gets_again_what_was_not_forgotten(backend: Backend) -> None:
    backend.append(*map(record, range(6)))
    consumer = backend.open_consumer()
    entries = read_all(consumer, 6)
    consumer.forget(entries[:4])
    successor = backend.open_consumer()
    backend.append(record(6))
    assert records_of(read_all(successor, 3)) == [record(4), record(5), record(6)]


def test_forgetting_twice_or_nothing_does_no_harm(backend: Backend) -> None:
    backend.append(*map(record, range(3)))
    consumer = backend.open_consumer()
    entries = read_all(consumer, 3)
    consumer.forget([])
    consumer.forget(entries[:2])
    consumer.forget(entries[:2])
    assert records_of(read_all(backend.open_consumer(), 1)) == [record(2)]


def test_lag_is_the_age_of_what_is_not_forgotten(backend: Backend) -> None:
    consumer = backend.open_consumer()
    assert consumer.lag_seconds() == 0
    backend.append(record(1), record(2))
    entries = read_all(consumer, 2)
    time.sleep(0.3)
    assert 0.3 <= consumer.lag_seconds() < SECONDS
    consumer.forget(entries[:1])
    assert consumer.lag_seconds() > 0
    consumer.forget(entries)
    assert consumer.lag_seconds() == 0


def test_a_digest_is_remembered_after_it_was_archived(backend: Backend) -> None:
    consumer = backend.open_consumer()
    backend.append(record(1))
    consumer.forget(read_all(consumer, 1))
    assert backend.append(record(1)) == [not backend.knows_duplicates]


def test_a_full_stream_refuses_and_loses_nothing_until_it_is_archived(backend: Backend) -> None:
    if not backend.refuses_when_full:  # a Kafka broker keeps what its retention says; how much waits is not ours to see
        assert backend.append(*(record(number) for number in range(2 * TIGHT_BYTES // 10))) == [True] * 4_000
        return
    appended: list[Record] = []
    with pytest.raises(StreamFull, match=r"HEADRACE_STREAM_MAX_BYTES|do not fit"):
        for number in range(TIGHT_BYTES):
            backend.tight_producer.append([record(number)], time.monotonic() + SECONDS)
            appended.append(record(number))
    consumer = backend.open_tight_consumer()
    entries = read_all(consumer, len(appended))
    assert records_of(entries) == appended
    consumer.forget(entries)
    assert backend.tight_producer.append([record(10**6)], time.monotonic() + SECONDS) == [True]


def test_many_threads_append_and_each_keeps_its_order(backend: Backend) -> None:
    def append_all(thread: int) -> None:
        for number in range(thread * 1_000, thread * 1_000 + 100, 10):
            backend.append(*map(record, range(number, number + 10)))
        backend.producer.close_mine()

    threads = [threading.Thread(target=append_all, args=(thread,)) for thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read = records_of(read_all(backend.open_consumer(), 600))
    assert len(read) == 600
    for thread in range(6):
        sent = [record(number) for number in range(thread * 1_000, thread * 1_000 + 100)]
        assert [one for one in read if one in sent] == sent

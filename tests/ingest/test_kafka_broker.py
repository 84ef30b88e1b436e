"""Where the broker that the suite runs on is less than Kafka, and what a broker that is away looks like."""

import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from contracts.errors import BadInput, StoreUnavailable
from ingest.kafka_consumer import KafkaConsumer
from ingest.kafka_producer import KafkaProducer
from ingest.stream_url import KafkaAddress, is_kafka, parse_kafka
from tests.ingest.stream_backends import SECONDS, kafka_backend, read_all, record
from tests.kafka_broker import KafkaBroker, start_broker


def test_tansu_calls_the_start_of_the_last_batch_the_end(kafka_broker: KafkaBroker) -> None:
    """Kafka says 5. A reader that restarts within a batch is told a lag of 0 too early, and reads on all the same."""
    address = parse_kafka(kafka_broker.make_topic("ends", partitions=1))
    producer = KafkaProducer(address)
    producer.append([record(number) for number in range(5)], time.monotonic() + SECONDS)
    client = Consumer({"bootstrap.servers": kafka_broker.address, "group.id": "ends"})
    try:
        assert client.get_watermark_offsets(TopicPartition("ends", 0), timeout=SECONDS, cached=False) == (0, 1)
    finally:
        client.close()
        producer.close()


def test_partitions_keep_the_order_of_each_key(kafka_broker: KafkaBroker) -> None:
    address = parse_kafka(kafka_broker.make_topic("keys", partitions=3))
    producer, consumer = KafkaProducer(address), KafkaConsumer(address)
    sent = [record(number) for number in range(140)]
    producer.append(sent, time.monotonic() + SECONDS)
    entries = read_all(consumer, 140)
    assert len({entry.offset.split(":")[0] for entry in entries}) > 1
    for key in {one.key for one in sent}:
        assert [e.record for e in entries if e.record.key == key] == [one for one in sent if one.key == key]
    consumer.forget(entries)
    assert consumer.lag_seconds() == 0
    consumer.close()
    producer.close()


def test_a_broker_that_died_is_said_by_the_deadline() -> None:
    broker = start_broker()
    try:
        backend = kafka_backend(broker)
        consumer = backend.open_consumer()
        assert backend.append(record(1)) == [True]
        consumer.forget(read_all(consumer, 1))
    finally:
        broker.process.kill()
        broker.process.wait()
    started = time.monotonic()
    with pytest.raises(StoreUnavailable, match="not acknowledged by the deadline"):
        backend.producer.append([record(2)], started + 0.3)
    assert time.monotonic() - started < 1
    with pytest.raises(StoreUnavailable, match="did not answer"):
        consumer.lag_seconds()
    consumer.close()


def test_an_address_names_brokers_topic_and_settings() -> None:
    found = parse_kafka("kafka://one:9092,two:9092/events?security.protocol=SASL_SSL&sasl.username=a%40b")
    assert found == KafkaAddress(
        "one:9092,two:9092", "events", (("security.protocol", "SASL_SSL"), ("sasl.username", "a@b"))
    )
    assert not is_kafka("unix:///tmp/redis.sock")
    for url in ("kafka://one:9092", "kafka:///events"):
        with pytest.raises(BadInput, match="kafka://host:9092/topic"):
            parse_kafka(url)
    with pytest.raises(BadInput, match="scheme 'amqp'"):
        is_kafka("amqp://one")

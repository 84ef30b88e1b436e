"""The writing side of the stream that HEADRACE_STREAM_URL names."""

from contracts.settings import Settings
from ingest.stream import Producer
from ingest.stream_url import is_kafka, parse_kafka


def open_producer(settings: Settings) -> Producer:
    """A producer that connects when it is first used, in the process that uses it; BadInput for another scheme."""
    if is_kafka(settings.stream_url):
        from ingest.kafka_producer import KafkaProducer

        return KafkaProducer(parse_kafka(settings.stream_url))
    from ingest.redis_stream import RedisProducer

    return RedisProducer(settings.stream_url, max_bytes=settings.stream_max_bytes)

"""The reading side of the stream that HEADRACE_STREAM_URL names."""

from contracts.settings import Settings
from ingest.stream import Consumer
from ingest.stream_url import is_kafka, parse_kafka


def open_consumer(settings: Settings) -> Consumer:
    """A consumer in the group of the archiver, connecting when it is first used; BadInput for another scheme."""
    if is_kafka(settings.stream_url):
        from ingest.kafka_consumer import KafkaConsumer

        return KafkaConsumer(parse_kafka(settings.stream_url))
    from ingest.redis_consumer import RedisConsumer

    return RedisConsumer(settings.stream_url)

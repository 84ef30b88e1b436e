"""HEADRACE_STREAM_URL taken apart: which backend it names, and for Kafka where and which topic."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from contracts.errors import BadInput

REDIS_SCHEMES = ("redis", "rediss", "unix")
KAFKA_SCHEME = "kafka"
_EXAMPLES = "redis://127.0.0.1:6380/0, rediss://…, unix:///path or kafka://host:9092/topic"


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Brokers by comma, the topic, and further librdkafka settings such as security.protocol."""

    brokers: str
    topic: str
    options: tuple[tuple[str, str], ...] = ()


def is_kafka(url: str) -> bool:
    """Whether a URL names Kafka; False is Redis, and BadInput anything else."""
    scheme = urlsplit(url).scheme
    if scheme not in (*REDIS_SCHEMES, KAFKA_SCHEME):
        raise BadInput(f"HEADRACE_STREAM_URL has the scheme {scheme!r}; it takes {_EXAMPLES}")
    return scheme == KAFKA_SCHEME


def parse_kafka(url: str) -> KafkaAddress:
    """Read kafka://host:port[,host:port]/topic[?librdkafka.setting=value]; BadInput names what is missing."""
    parts = urlsplit(url)
    topic = parts.path.strip("/")
    if not parts.netloc or not topic or "/" in topic:
        raise BadInput(f"HEADRACE_STREAM_URL is {url!r}; for Kafka it takes kafka://host:9092/topic")
    return KafkaAddress(parts.netloc, topic, tuple(parse_qsl(parts.query)))

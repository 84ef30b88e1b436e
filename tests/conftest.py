"""Fixtures that every room's tests may ask for."""

from tests.ingest.stream_fixtures import backend, started_server
from tests.kafka_broker import kafka_broker
from tests.redis_servers import own_redis_server, redis_server, shared_redis_server, short_folder
from tests.spark_session import spark

__all__ = [
    "backend",
    "kafka_broker",
    "own_redis_server",
    "redis_server",
    "shared_redis_server",
    "short_folder",
    "spark",
    "started_server",
]

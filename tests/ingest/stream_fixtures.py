"""Servers of the stream, one of each make a run, and an empty backend on the make that a test is run for."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from headrace import stream_server
from headrace.embedded_redis import EmbeddedRedis
from tests.ingest.stream_backends import Backend, kafka_backend, memory_backend, redis_backend
from tests.redis_servers import DEBIAN_SERVER

MEMORY, VALKEY, DEBIAN, KAFKA = "memory", "valkey", "debian-redis", "kafka"
REDIS_BACKENDS = (VALKEY, pytest.param(DEBIAN, marks=pytest.mark.system))
ALL_BACKENDS = (MEMORY, *REDIS_BACKENDS, KAFKA)
StartedServer = Callable[[str], EmbeddedRedis]


@pytest.fixture(scope="session")
def started_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedServer]:
    """Start the stream's server of a make when it is first asked for."""
    servers: dict[str, EmbeddedRedis] = {}
    with ExitStack() as stack:

        def started(make: str) -> EmbeddedRedis:
            if make not in servers:
                binary = DEBIAN_SERVER if make == DEBIAN else None
                folder: Path = tmp_path_factory.mktemp(make)
                servers[make] = stack.enter_context(stream_server.start(folder, binary=binary))
            return servers[make]

        yield started


@pytest.fixture(params=ALL_BACKENDS)
def backend(request: pytest.FixtureRequest, started_server: StartedServer) -> Iterator[Backend]:
    """An empty stream on each backend in turn."""
    if request.param == MEMORY:
        made = memory_backend()
    elif request.param == KAFKA:
        made = kafka_backend(request.getfixturevalue("kafka_broker"))
    else:
        server = started_server(request.param)
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        made = redis_backend(server.url)
    yield made
    made.close()

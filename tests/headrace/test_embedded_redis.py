"""The embedded server starts, refuses to evict, says why it does not start, and leaves nothing behind."""

from pathlib import Path

import pytest
import redis

from contracts.errors import BadInput, StoreUnavailable
from headrace import embedded_redis
from headrace.embedded_redis import EmbeddedRedis


def test_it_answers_and_never_evicts(redis_server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.ping()
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("save") == {"save": ""}


def test_it_listens_on_a_unix_socket_alone(short_folder: Path) -> None:
    with embedded_redis.start(short_folder, unix_socket=True) as server, redis.Redis.from_url(server.url) as client:
        assert server.url.startswith("unix:///")
        assert client.config_get("port") == {"port": "0"}


def test_leaving_the_block_ends_the_process(tmp_path: Path) -> None:
    with embedded_redis.start(tmp_path) as server:
        assert server.process.poll() is None
    assert server.process.poll() is not None
    server.stop()


def test_a_port_in_use_is_named(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"port {redis_server.port}"):
        embedded_redis.start(tmp_path, redis_server.port)


def test_a_server_that_does_not_come_up_shows_its_log(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="did not come up"):
        embedded_redis.start(tmp_path, options=("--no-such-option", "1"))

"""Real Redis servers for tests; tests/conftest.py makes these fixtures known everywhere."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from headrace import embedded_redis
from headrace.embedded_redis import EmbeddedRedis

DEBIAN_SERVER = Path("/usr/bin/redis-server")
SERVERS = (
    pytest.param(None, id="valkey"),
    pytest.param(DEBIAN_SERVER, id="debian-redis", marks=pytest.mark.system),
)


@pytest.fixture(scope="session", params=SERVERS)
def shared_redis_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedRedis]:
    """One server for the whole run, the embedded one or Debian's; ask for `redis_server` to find it empty."""
    with embedded_redis.start(tmp_path_factory.mktemp("redis"), binary=request.param) as server:
        yield server


@pytest.fixture
def redis_server(shared_redis_server: EmbeddedRedis) -> EmbeddedRedis:
    """An empty server with `.url` and `.process`; never stop or freeze this one."""
    with redis.Redis.from_url(shared_redis_server.url) as client:
        client.flushall()
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
    return shared_redis_server


@pytest.fixture
def own_redis_server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A server of this test's own, to kill, freeze or configure."""
    with embedded_redis.start(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="hr") as folder:
        yield Path(folder)

"""The server as it runs: gunicorn with its settings, one set of metrics for two processes, a port that is looked at."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from headrace.embedded_redis import EmbeddedRedis
from tests.serving.published import publish
from tests.serving.running_server import Server, run_server, serve


@pytest.fixture
def server(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[Server]:
    """`headrace serve` with two processes on a published version."""
    with redis.Redis.from_url(redis_server.url) as client:
        publish(client)
    with run_server(tmp_path, REDIS_URL=redis_server.url, STREAM_URL=redis_server.url) as server:
        yield server


def test_the_server_serves_counts_and_refuses(server: Server, tmp_path: Path) -> None:
    for _ in range(10):  # connections enough that both processes get some
        assert server.get("/v1/recommendations/ada", times=3)[0] == 200
    status, _, text = server.get("/metrics")
    assert status == 200
    assert 'headrace_request_seconds_count{route="recommendations",source="head",status="200"} 30.0' in text
    assert (tmp_path / "run" / "metrics").is_dir()

    status, kind, body = server.get("/v1/recommendations/" + "x" * 10_000)
    assert (status, kind) == (400, "application/problem+json")
    assert "too long" in body

    second = subprocess.run(serve(), env=server.environment, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert f"port {server.port} of 127.0.0.1" in second.stderr
    assert "HEADRACE_BIND" in second.stderr

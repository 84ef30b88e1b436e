"""The server as it runs: gunicorn with its settings, one set of metrics for two processes, a port that is looked at."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from headrace.embedded_redis import EmbeddedRedis
from tests.serving.published import publish

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running `headrace serve`."""

    port: int
    environment: dict[str, str]

    def get(self, path: str, *, times: int = 1) -> tuple[int, str, str]:
        """Status, content type and body of the last of some requests on one connection."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for _ in range(times):
            link.request("GET", path)
            response = link.getresponse()
            body = response.read().decode()
        link.close()
        return response.status, response.getheader("Content-Type", ""), body


@pytest.fixture
def server(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[Server]:
    """`headrace serve` with two processes on a published version."""
    with redis.Redis.from_url(redis_server.url) as client:
        publish(client)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    given = {"ROOT": str(tmp_path), "BIND": f"127.0.0.1:{port}", "REDIS_URL": redis_server.url, "WORKERS": "2"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    environment = {**kept, **{f"HEADRACE_{name}": value for name, value in given.items()}}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(serve(), env=environment, stdout=log, stderr=log)
    server = Server(port, environment)
    try:
        await_ready(server, process, tmp_path / "log")
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0


def serve() -> list[str]:
    return [sys.executable, "-m", "headrace", "serve"]


def await_ready(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if server.get("/readyz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the server did not come up: {log.read_text()}")


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

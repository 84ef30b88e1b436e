"""Redis behind TLS and a password: read by its deadline, and never from a server that nobody vouches for."""

import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis

from ingest.redis_client import RedisClient
from ingest.redis_connection import CONNECTION, DEADLINE, REFUSED, RedisFailure
from ingest.redis_endpoint import parse_endpoint
from tests.redis_servers import DEBIAN_SERVER
from tests.stack.local_airflow import free_port

pytestmark = pytest.mark.system
PASSWORD = "correct-horse"


@dataclass(frozen=True, slots=True)
class TlsServer:
    """Debian's server; `authority` is the certificate that vouches for it."""

    port: int
    authority: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"rediss://:{PASSWORD}@localhost:{self.port}/0?ssl_ca_certs={self.authority}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    authority, key, port = tmp_path / "server.crt", tmp_path / "server.key", free_port()
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(authority), "-days", "1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *subject]
    subprocess.run(made, check=True, capture_output=True)
    tls = ["--tls-cert-file", str(authority), "--tls-key-file", str(key), "--tls-ca-cert-file", str(authority)]
    listen = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--bind", "127.0.0.1"]
    command = [str(DEBIAN_SERVER), *listen, *tls, "--requirepass", PASSWORD, "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        server = TlsServer(port, authority, process)
        try:
            with redis.Redis.from_url(server.url) as client:
                _await(client)
                client.set("key", "value")
            yield server
        finally:
            process.kill()


def test_a_key_is_read_over_tls_with_the_password(server: TlsServer) -> None:
    client = RedisClient(parse_endpoint(server.url))
    assert client.mget(["key", "other"], time.monotonic() + 5) == [b"value", None]
    client.close()


def test_a_server_without_a_known_authority_is_not_talked_to(server: TlsServer) -> None:
    client = RedisClient(parse_endpoint(f"rediss://:{PASSWORD}@localhost:{server.port}/0"))
    with pytest.raises(RedisFailure, match="certificate") as caught:
        client.mget(["key"], time.monotonic() + 5)
    assert caught.value.kind == CONNECTION


def test_a_wrong_password_is_refused(server: TlsServer) -> None:
    client = RedisClient(replace(parse_endpoint(server.url), password="wrong"))
    with pytest.raises(RedisFailure) as caught:
        client.mget(["key"], time.monotonic() + 5)
    assert caught.value.kind == REFUSED


def test_a_frozen_server_is_given_up_at_the_deadline(server: TlsServer) -> None:
    client = RedisClient(parse_endpoint(server.url))
    client.mget(["key"], time.monotonic() + 5)
    server.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(RedisFailure) as caught:
        client.mget(["key"], started + 0.03)
    assert caught.value.kind == DEADLINE
    assert time.monotonic() - started < 1  # generous: what it must not do is wait for ever
    client.close()


def _await(client: redis.Redis) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            assert time.monotonic() < deadline, "the server does not come up"
            time.sleep(0.05)

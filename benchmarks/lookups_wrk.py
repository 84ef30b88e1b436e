"""wrk in rounds: a base URL in, requests a second, errors and worst latency out."""

import http.client
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.lookups_world import WRK_SCRIPT
from contracts.errors import BadInput, MissingInput

CONNECTIONS = 16
FIELDS = {"items", "source", "reason", "version", "generated_at", "recommendation_id", "subject"}


@dataclass(frozen=True, slots=True)
class Round:
    """What one run of wrk saw. Latencies in microseconds; `cpu_seconds` is what the server's processes used."""

    requests: int
    seconds: float
    socket_errors: int
    not_ok: int
    p50_us: int
    p99_us: int
    max_us: int
    cpu_seconds: float

    @property
    def requests_a_second(self) -> float:
        """Throughput."""
        return self.requests / self.seconds


def start_wrk(url: str, users: Path, seconds: float) -> "subprocess.Popen[str]":
    """Start wrk: keep-alive, CONNECTIONS connections, users of the file in order; MissingInput without wrk."""
    if shutil.which("wrk") is None:
        raise MissingInput("wrk is not here; on Debian: apt-get install wrk")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "-s", str(WRK_SCRIPT), url]
    return subprocess.Popen([*command, "--", str(users)], stdout=subprocess.PIPE, text=True)


def run_wrk(url: str, users: Path, seconds: float, server_pid: int) -> Round:
    """Run wrk to its end."""
    before = cpu_seconds_of(server_pid)
    process = start_wrk(url, users, seconds)
    return read_round(process.communicate()[0], cpu_seconds_of(server_pid) - before)


def read_round(output: str, cpu_seconds: float = 0.0) -> Round:
    """Read the JSON that the script prints last."""
    found = json.loads(output.strip().splitlines()[-1])
    errors = sum(found[name] for name in ("connect", "read", "write", "timeout"))
    latencies = (found[name] for name in ("p50_us", "p99_us", "max_us"))
    return Round(found["requests"], found["duration_us"] / 1e6, errors, found["status"], *latencies, cpu_seconds)


def cpu_seconds_of(pid: int) -> float:
    """CPU seconds that a process and its children have used."""
    process = psutil.Process(pid)
    times = [member.cpu_times() for member in (process, *process.children(recursive=True))]
    return sum(used.user + used.system for used in times)


def check_bodies(url: str, users: Sequence[str], source: str) -> int:
    """Fetch a body for each user and check it against the contract; returns how many there were."""
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port)
    for user in users:
        link.request("GET", f"/v1/recommendations/{user}")
        response = link.getresponse()
        body = json.loads(response.read())
        is_right = response.status == 200 and set(body) == FIELDS and body["source"] == source
        if not (
            is_right and body["subject"] == user and all({"item_id", "score"} == set(row) for row in body["items"])
        ):
            raise BadInput(f"the answer for {user} breaks the contract: {response.status} {str(body)[:200]}")
    link.close()
    return len(users)

"""Who sends events in the benchmarks: wrk as fast as it can, a paced sender, and one who looks right after."""

import http.client
import json
import secrets
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.lookups_world import USERS, user_name
from benchmarks.lookups_wrk import CONNECTIONS, Round, cpu_seconds_of, read_round
from contracts.errors import MissingInput

SCRIPT = Path(__file__).with_name("events.lua")
ITEMS = 20_000


def post_events(url: str, key: str, *, size: int, seconds: float, server_pid: int) -> Round:
    """Post new events of many people by wrk, `size` a body, as fast as the server takes them."""
    if shutil.which("wrk") is None:
        raise MissingInput("wrk is not here; on Debian: apt-get install wrk")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "-s", str(SCRIPT), url, "--"]
    before = cpu_seconds_of(server_pid)
    given = [str(size), secrets.token_hex(4), key, str(USERS), str(ITEMS)]
    found = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    if found.returncode:
        raise MissingInput(f"wrk failed: {found.stderr.strip() or found.stdout.strip()}")
    return read_round(found.stdout, cpu_seconds_of(server_pid) - before)


class Caller:
    """One connection that stays open."""

    def __init__(self, url: str, key: str) -> None:
        self._link = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._headers = {"Content-Type": "application/json", "X-API-Key": key}

    def post(self, events: Any) -> Any:
        """Post events; the verdicts."""
        self._link.request("POST", "/v1/events", json.dumps(events), self._headers)
        response = self._link.getresponse()
        body = response.read()
        if response.status != 202:
            raise RuntimeError(f"an event was answered by {response.status}: {body[:300]!r}")
        return json.loads(body)

    def sequence(self, user: str) -> int:
        """The number that a look-up tells of a person; 0 for none."""
        self._link.request("GET", f"/v1/recommendations/{user}")
        response = self._link.getresponse()
        response.read()
        return int(response.getheader("X-Headrace-Seq") or 0)

    def close(self) -> None:
        """Hang up."""
        self._link.close()


def new_event(number: int) -> dict[str, Any]:
    """A view that happens now."""
    return {
        "event_id": str(uuid.uuid4()),
        "event_type": "view",
        "user_id": user_name(number % USERS),
        "item_id": f"{number % ITEMS:07d}",
        "occurred_at": time.time(),
    }


def waits_until_visible(url: str, key: str, count: int) -> list[float]:
    """Seconds from each 202 until a look-up on another connection showed the event, in order of waiting."""
    sender, looker = Caller(url, key), Caller(url, key)
    waits = []
    for number in range(count):
        event = new_event(number * 7_919)
        verdict = sender.post(event)
        acknowledged_at = time.perf_counter()
        while looker.sequence(event["user_id"]) < verdict["results"][0]["seq"]:
            pass
        waits.append(time.perf_counter() - acknowledged_at)
    sender.close()
    looker.close()
    return sorted(waits)


@contextmanager
def sending(url: str, key: str, *, size: int, per_second: float, connections: int) -> Iterator[list[int]]:
    """Send so many events a second, `size` a body, while the block runs; gives how many were accepted by each."""
    accepted, ending = [0] * connections, threading.Event()

    def send(place: int) -> None:
        caller, number, due = Caller(url, key), place * 1_009, time.monotonic()
        while not ending.is_set():
            batch = [new_event((number + step) * 7_919) for step in range(size)]
            accepted[place] += caller.post(batch)["accepted"]
            number += size
            due += size * connections / per_second
            ending.wait(max(0.0, due - time.monotonic()))
        caller.close()

    threads = [threading.Thread(target=send, args=(place,)) for place in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield accepted
    finally:
        ending.set()
        for thread in threads:
            thread.join()

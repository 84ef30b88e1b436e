"""A port in use and a demo that runs already are named, with what to do."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import BadInput
from headrace.demo_lock import hold_lock
from headrace.ports import Port, refuse_taken, split_bind

HOLDER = """
import sys, time
from pathlib import Path
from headrace.demo_lock import hold_lock
with hold_lock(Path(sys.argv[1]), {"lists": "http://here:1"}):
    print("held", flush=True)
    time.sleep(600)
"""


def test_every_port_in_use_is_named_with_its_setting() -> None:
    with socket.socket() as one, socket.socket() as two, socket.socket() as free:
        for listener in (one, two):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        free.bind(("127.0.0.1", 0))
        numbers = [listener.getsockname()[1] for listener in (one, two, free)]
        free.close()
        ports = [Port("127.0.0.1", number, f"part {number}", f"SETTING_{number}") for number in numbers]
        with pytest.raises(BadInput) as caught:
            refuse_taken(ports)
    text = str(caught.value)
    assert all(f"port {n} of 127.0.0.1, wanted by part {n}, is in use" in text for n in numbers[:2])
    assert f"set SETTING_{numbers[1]}" in text and str(numbers[2]) not in text
    refuse_taken(ports)


@pytest.mark.parametrize(("bind", "parts"), [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:80", ("::1", 80))])
def test_an_address_is_host_and_port(bind: str, parts: tuple[str, int]) -> None:
    assert split_bind(bind) == parts


@pytest.mark.parametrize("bind", ["8080", "localhost", "host:port", "host:99999", ""])
def test_an_address_without_a_port_is_refused(bind: str) -> None:
    with pytest.raises(BadInput, match=r"no host:port, such as 127\.0\.0\.1:8080"):
        split_bind(bind)


def test_the_demo_that_runs_is_named_and_one_that_was_killed_is_forgotten(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(BadInput, match=rf"already running as process {holder.pid}: lists at http://here:1; .*kill"):
            hold_lock(tmp_path, {}).__enter__()
        holder.kill()
    with hold_lock(tmp_path, {"lists": "http://there:2"}):
        assert str(os.getpid()) in (tmp_path / "demo.lock").read_text()

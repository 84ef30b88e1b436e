"""Nothing that a stack started outlives it, in whatever way the stack ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import redis

from contracts.errors import MissingInput
from headrace.processes import MARK, ProcessSet, bound_log, members
from headrace.revived_redis import MOST_REVIVALS, RevivedRedis
from tests.stack.local_airflow import free_port

WAIT = "print('up', flush=True); time.sleep(600)"
# A component that starts a grandchild in a session of its own, as Airflow starts a task's command.
NESTED = f"import subprocess as s, time; s.Popen(['sleep', '600'], start_new_session=True); {WAIT}"
# A component that overwrites the start of its memory's environment, as setproctitle does.
TITLED = f"import setproctitle, os, time; os.fork(); setproctitle.setproctitle('x' * 4000); {WAIT}"
STUBBORN = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAIT}"
PARENT = """
import sys, time
from pathlib import Path
from headrace import embedded_redis
from headrace.processes import ProcessSet
with ProcessSet(Path(sys.argv[1]), {}) as processes:
    for number, code in enumerate(sys.argv[2:]):
        processes.start(f"part{number}", [sys.executable, "-c", code])
    server = embedded_redis.start(Path(sys.argv[1]) / "redis")
    processes.adopt("redis", server.process, Path(sys.argv[1]) / "redis" / embedded_redis.LOG_FILE)
    (Path(sys.argv[1]) / "logs" / "parent.log").write_text("up")
    time.sleep(600)
"""


def await_up(root: Path, count: int) -> None:
    deadline = time.monotonic() + 30
    while sum("up" in log.read_text() for log in root.glob("logs/*.log")) < count:
        assert time.monotonic() < deadline, "the components did not come up"
        time.sleep(0.05)


def await_gone(pids: set[int]) -> None:
    deadline = time.monotonic() + 30
    while left := [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_parent_that_is_killed_leaves_nothing(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PARENT, str(tmp_path), NESTED, TITLED]
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    await_up(tmp_path, 3)
    below = {process.pid for process in psutil.Process(parent.pid).children(recursive=True)}
    assert len(below) >= 6  # the reaper, the two components, what each of them started, Redis
    parent.send_signal(number)
    parent.wait(30)
    await_gone(below)


def test_stopping_ends_components_that_ignore_it_and_what_they_started(tmp_path: Path) -> None:
    with ProcessSet(tmp_path, dict(os.environ), stop_seconds=0.2) as processes:
        processes.start("nested", [sys.executable, "-c", NESTED])
        processes.start("stubborn", [sys.executable, "-c", STUBBORN])
        await_up(tmp_path, 2)
        assert len(members(tmp_path, ())) == 3
    assert members(tmp_path, ()) == []


def test_a_component_that_ends_by_itself_is_named_with_its_log(tmp_path: Path) -> None:
    with ProcessSet(tmp_path, dict(os.environ)) as processes:
        component = processes.start("airflow-scheduler", [sys.executable, "-c", "import sys; sys.exit('no database')"])
        component.process.wait(30)
        with pytest.raises(MissingInput, match=r"airflow-scheduler ended .* code 1; see .*\.log: no database"):
            processes.refuse_dead()


def test_a_command_that_fails_is_named_with_its_log(tmp_path: Path) -> None:
    with ProcessSet(tmp_path, dict(os.environ)) as processes:
        processes.run("migrate", [sys.executable, "-c", "pass"], quiet=True)
        with pytest.raises(MissingInput, match=r"migrate ended with exit code 3; see .*migrate\.log: \(empty\)"):
            processes.run("migrate", [sys.executable, "-c", "raise SystemExit(3)"], quiet=True)


def test_another_roots_processes_are_left_alone(tmp_path: Path) -> None:
    environment = os.environ | {MARK: str(tmp_path / "other")}
    with subprocess.Popen(["sleep", "600"], env=environment) as stranger:
        with ProcessSet(tmp_path, dict(os.environ)) as processes:
            processes.start("nested", [sys.executable, "-c", NESTED])
            await_up(tmp_path, 1)
        assert stranger.poll() is None
        stranger.kill()


def test_a_log_that_has_grown_is_started_anew_and_its_writer_goes_on(tmp_path: Path) -> None:
    code = "import sys; [print(line.strip() * 30, flush=True) for line in iter(sys.stdin.readline, '')]"
    log = tmp_path / "part.log"
    with (
        log.open("ab") as stream,
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=stream) as writer,
    ):
        assert writer.stdin is not None
        for word in (b"old\n", b"older\n"):
            writer.stdin.write(word)
        writer.stdin.flush()
        await_text(log, "older")
        bound_log(log, 100)
        writer.stdin.write(b"new\n")
        writer.stdin.close()
        writer.wait(30)
    assert log.read_text() == "new" * 30 + "\n"
    assert "older" in (tmp_path / "part.previous.log").read_text()


def await_text(log: Path, text: str) -> None:
    deadline = time.monotonic() + 30
    while text not in log.read_text():
        assert time.monotonic() < deadline, f"{text} is not in {log}"
        time.sleep(0.02)


def test_redis_that_is_killed_is_started_again_at_the_same_place(tmp_path: Path) -> None:
    revived: list[bool] = []
    lists = RevivedRedis("redis", tmp_path / "redis", free_port(), lambda: revived.append(True))
    with ProcessSet(tmp_path, dict(os.environ)) as processes:
        url = lists.start(processes)
        for times in range(1, MOST_REVIVALS + 1):
            processes.components[-1].process.kill()
            processes.components[-1].process.wait(10)
            processes.refuse_dead()
            assert len(revived) == times
            with redis.Redis.from_url(url) as client:
                assert client.ping()
        processes.components[-1].process.kill()
        processes.components[-1].process.wait(10)
        with pytest.raises(MissingInput, match="redis ended by itself"):
            processes.refuse_dead()

"""`hour` runs the steps in order and stops at the first that fails, with its reason and its log."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts.errors import BadInput
from contracts.intervals import Interval
from contracts.pipeline import Step
from contracts.settings import Settings
from headrace.hour import StepFailed, hour_at, hour_command, run_step, run_steps

SELECT_HEAD = Step("select_head", ("select_head",), spark=False)
NEVER = Step("never", ("never",), spark=False)
KEY = "2026-01-31T07"


def test_the_first_step_that_fails_ends_the_run_with_its_reason_and_its_log(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"select_head failed with exit code 2.*interactions") as failure:
        run_steps((SELECT_HEAD, NEVER), Interval.of_key(KEY), Settings(root=tmp_path), cold=False)
    log = tmp_path / "logs" / "hour" / KEY / "select_head.log"
    assert str(log) in str(failure.value)
    assert "ERROR" in log.read_text()
    assert not log.with_name("never.log").exists()


def test_an_hour_is_named_by_its_key_or_by_any_instant_on_it() -> None:
    assert hour_at(KEY) == hour_at("2026-01-31T07:00:00Z") == hour_at("2026-01-31T08:00:00+01:00")
    with pytest.raises(BadInput, match="whole hours"):
        hour_at("2026-01-31T07:30")


def test_an_end_before_the_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--end must be after START"):
        hour_command(KEY, end="2026-01-31T06", root=tmp_path)


def test_a_step_does_not_outlive_the_run_that_started_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    sleeper = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    runner = (
        "from headrace.hour import end_like_control_c, run_step; from contracts.pipeline import Step; "
        "from pathlib import Path; import sys; end_like_control_c(); "
        f"run_step(Step('s', (), spark=False), [sys.executable, '-c', {sleeper!r}], Path({str(tmp_path / 'log')!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", runner], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_step_that_says_nothing_still_fails_with_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"exit code 3.*said nothing"):
        run_step(NEVER, [sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log")

"""The demo's inference service comes back when it is killed, and is given up when it keeps ending."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from contracts.errors import MissingInput
from contracts.settings import Settings, as_environment
from headrace.processes import ProcessSet
from headrace.revived_inference import MOST_REVIVALS, RevivedInference
from serving.inference.address import inference_address


def environment_of(settings: Settings) -> dict[str, str]:
    return {**os.environ, **as_environment(settings)}


def await_socket(path: Path, count: int) -> None:
    """Wait until the service has said so many times that it listens."""
    log, until = path.parents[1] / "logs" / "infer.log", time.monotonic() + 60
    while not path.exists() or log.read_text().count("listening address") < count:
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


def test_it_is_started_again_when_it_was_killed() -> None:
    with tempfile.TemporaryDirectory(prefix="hr") as folder:
        settings = Settings(root=Path(folder), redis_url="redis://127.0.0.1:1/0", inference_metrics="")
        path = Path(inference_address(settings).unix_path)
        with ProcessSet(settings.root, environment_of(settings)) as processes:
            RevivedInference().start(processes)
            await_socket(path, 1)
            [component] = processes.components
            component.process.kill()
            component.process.wait()
            processes.refuse_dead()
            await_socket(path, 2)
        assert not path.exists()  # it was told to end, and did


def test_one_that_keeps_ending_is_given_up_with_what_its_log_says(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, inference_url="http://nowhere")
    with ProcessSet(tmp_path, environment_of(settings)) as processes:
        RevivedInference().start(processes)
        with pytest.raises(MissingInput, match="HEADRACE_INFERENCE_URL"):
            for _ in range(MOST_REVIVALS + 1):
                processes.components[0].process.wait(timeout=60)
                processes.refuse_dead()

"""Models of an hour on disk, small enough to load in a moment, and the service that answers from them."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import redis

from contracts.redis_layout import POINTER, Pointer
from contracts.serving_model import ServingModel, write_serving_model
from contracts.settings import Layout, Settings, as_environment
from ingest.breaker import Breaker
from models.id_map import IdMap
from models.profile import Profile
from models.profile_file import write_profile_file
from models.profile_record import encode_profile
from models.ranker import RankerBundle, RankerParameters, train_ranker
from models.two_stage import candidate_features
from serving.inference import hooks
from serving.inference.address import inference_address
from serving.inference.messages import TailAnswer, TailAsk
from serving.tail_client import TailClient, TailFailure
from tests.models.small_world import draw_requests, make_bundle, own_items

HOUR, NEXT_HOUR = "2026-01-31T07", "2026-01-31T08"
KNOWN = "known"  # a person with a profile
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """A running `headrace infer`."""

    settings: Settings
    process: "subprocess.Popen[bytes]"
    log: Path

    def client(self, *, seats: int = 64) -> TailClient:
        """A client with a breaker that never opens for long."""
        return TailClient(inference_address(self.settings), Breaker(0.001), seats)

    def metric(self, line: str) -> float:
        """Value of one series of its /metrics; 0 when there is none yet."""
        with urllib.request.urlopen(f"http://{self.settings.inference_metrics}/metrics", timeout=30) as page:
            rows = [row.rpartition(" ") for row in page.read().decode().splitlines()]
        return next((float(value) for name, _, value in rows if name == line), 0.0)

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        return psutil.Process(self.process.pid).children()

    def await_answer(self, ask: TailAsk, *, seconds: float = START_SECONDS) -> TailAnswer:
        """Ask until there is an answer."""
        until = time.monotonic() + seconds
        client = self.client()
        try:
            while True:
                try:
                    return client.ask(ask, time.monotonic() + 1.0)
                except TailFailure as failure:
                    assert self.process.poll() is None, self.log.read_text()
                    assert time.monotonic() < until, f"{failure}: {self.log.read_text()}"
                    time.sleep(0.02)
        finally:
            client.close()

    def await_workers(self, count: int) -> None:
        """Wait until so many workers have said that they are ready, since the start."""
        until = time.monotonic() + START_SECONDS
        while self.log.read_text().count("worker_ready") < count:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)


def within(seconds: float) -> float:
    """A deadline."""
    return time.monotonic() + seconds


def write_hour(root: Path, interval: str, *, letter: str = "i") -> ServingModel:
    """Put the models of an hour under the root; the names of all its items begin with `letter`."""
    layout = Layout(root)
    model = ServingModel(interval, interval, "ranker", "", interval)
    bundle = make_bundle()
    names = IdMap.of(letter + name[1:] for name in bundle.items.external_ids)
    replace(bundle, items=names, interval_key=interval).save(model.candidates_folder(layout), {})
    small_ranker().save(model.ranker_folder(layout))
    write_profile_file(model.profiles_folder(layout), [(KNOWN, encode_profile(known_profile(letter)))], {})
    write_serving_model(layout, model)
    return model


def known_profile(letter: str = "i") -> Profile:
    """Of somebody who touched a dozen items of one taste."""
    items = [f"{letter}{number:04d}" for number in range(0, 60, 5)]
    return replace(Profile(), own=own_items(items), user_stats=np.arange(len(Profile().user_stats), dtype=np.float64))


def point_to(url: str, interval: str, fence: int) -> str:
    """Let the pointer name an hour; the version."""
    version = f"{interval}.{fence}"
    with redis.Redis.from_url(url) as client:
        client.set(POINTER, Pointer(version, fence, interval, "2026-01-31T08:00:00Z").encode())
    return version


@contextmanager
def run_inference(settings: Settings) -> Iterator[Running]:
    """Run the service until the block ends, with the hooks for faults."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    environment = {**kept, **as_environment(settings), hooks.VARIABLE: "1"}
    log = settings.root / "infer.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "headrace", "infer"], env=environment, stdout=stream, stderr=stream, process_group=0
        )
    try:
        yield Running(settings, process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@cache
def small_ranker() -> RankerBundle:
    """Twenty trees that like what was touched often."""
    bundle, random = make_bundle(), np.random.default_rng(5)
    found = candidate_features(bundle, draw_requests(bundle, 100), 60)
    features = np.concatenate([one.features for one in found])
    labels = (random.random(len(features)) < 0.1).astype(np.int32)
    sizes = np.array([len(one.rows) for one in found], np.int32)
    booster = train_ranker(features, labels, sizes, RankerParameters(trees=20, leaves=7, least_rows_a_leaf=5))
    return RankerBundle(booster.model_to_string(), "2026-01-31T00:00:00Z", {})

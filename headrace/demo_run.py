"""The stages of the demo, in order, and what it says when it is ready."""

import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import httpx
from rich.console import Console

from contracts.errors import MissingInput
from contracts.intervals import KEY_FORMAT, Interval
from contracts.settings import Layout, Settings
from headrace import demo_data
from headrace.airflow_api import AirflowApi
from headrace.airflow_home import ADMIN, VIEWER, AirflowHome, airflow_environment, prepare_home
from headrace.airflow_stack import DAGS, await_airflow, start_airflow
from headrace.demo_events import STREAM_SETTING, make_keys, purchase_command, start_archiver, stream_server
from headrace.demo_lock import hold_lock
from headrace.ports import LOOPBACK, Port, is_free, refuse_taken, split_bind
from headrace.processes import MARK, ProcessSet, sweep
from headrace.revived_inference import RevivedInference
from headrace.revived_redis import RevivedRedis
from headrace.run_progress import RunFollower
from serving.inference.address import inference_address, metrics_bind

HOURLY, TRAINING = "hourly_recommendations", "daily_training"
APPEARS_SECONDS, READY_SECONDS, POLL_SECONDS = 90.0, 60.0, 0.5
REDIS_SETTING, REDIS_PORT = "HEADRACE_REDIS_URL", 6379


@dataclass(slots=True)
class Demo:
    """One demo of one root (absolute); `ready` once lists are being served."""

    settings: Settings
    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    ready: bool = False

    def run(self, *, once: bool) -> None:
        """Check, start, import, train, run one hour, serve; ends on Ctrl-C, or when a component dies."""
        settings, started = self.settings, time.monotonic()
        with hold_lock(settings.root, {"lists": self.url, "Airflow": f"http://{LOOPBACK}:{settings.airflow_port}"}):
            if left := sweep(settings.root):
                self.say(f"ended {left} processes that an earlier demo left behind")
            self._check()
            home = prepare_home(settings)
            environment = airflow_environment(settings, home, os.environ)
            environment |= {REDIS_SETTING: settings.redis_url, STREAM_SETTING: settings.stream_url}
            environment |= {"HEADRACE_BIND": settings.bind}
            with ProcessSet(settings.root, environment) as processes:
                self._start(processes)
                self._import(processes)
                start_archiver(processes)
                with await_airflow(processes, home) as api:
                    hour = self._recommend(processes, api)
                self._await_served(processes)
                self._announce(home, hour, seconds=time.monotonic() - started)
                self._stay(processes, once=once)

    @property
    def url(self) -> str:
        """Where lists are looked up."""
        host, port = split_bind(self.settings.bind)
        return f"http://{LOOPBACK if host in ('0.0.0.0', '::') else host}:{port}"

    @property
    def redis_port(self) -> int | None:
        """Port of the server of lists that the demo starts; None when the settings name one that runs."""
        return _own_port(self.settings.redis_url, REDIS_SETTING)

    @property
    def stream_port(self) -> int | None:
        """The same of the stream."""
        return _own_port(self.settings.stream_url, STREAM_SETTING)

    def say(self, text: str) -> None:
        """Tell one step."""
        self.console.print(text)

    def _check(self) -> None:
        from spark_jobs.session import check_java

        check_java()
        host, port = split_bind(self.settings.bind)
        ports = [
            Port(host, port, "the HTTP server", "HEADRACE_BIND"),
            Port(LOOPBACK, self.settings.airflow_port, "Airflow", "HEADRACE_AIRFLOW_PORT"),
        ]
        if self.redis_port:
            ports.append(Port(LOOPBACK, self.redis_port, "Redis", REDIS_SETTING))
        if self.stream_port:
            ports.append(Port(LOOPBACK, self.stream_port, "the stream's server", STREAM_SETTING))
        if metrics := metrics_bind(self.settings):
            ports.append(Port(*metrics, "the metrics of inference", "HEADRACE_INFERENCE_METRICS"))
        refuse_taken(ports)
        inference_address(self.settings)  # whose path may be too long

    def _start(self, processes: ProcessSet) -> None:
        os.environ[MARK] = str(self.settings.root)  # what this process starts from here on is swept with it
        if port := self.redis_port:
            lists = RevivedRedis("redis", self.settings.root / "redis", port, lambda: self._refill(processes))
            self.say(f"Redis listens at {lists.start(processes)}")
        if port := self.stream_port:
            stream = stream_server(self.settings, port, self.say)
            self.say(f"the stream of events listens at {stream.start(processes)}")
        processes.start("serve", [sys.executable, "-m", "headrace", "serve"])
        RevivedInference().start(processes)
        with self.console.status("starting Airflow"):
            start_airflow(processes)

    def _import(self, processes: ProcessSet) -> None:
        root = self.settings.root
        if demo_data.needs_import(root):
            self.say("importing 1.47 million purchases, shifted in time to end at this hour")
            unfinished = root / demo_data.UNFINISHED
            unfinished.touch()
            processes.run("import", [sys.executable, "-m", "headrace", *demo_data.SAMPLE_IMPORT], quiet=False)
            unfinished.unlink()
        demo_data.refuse_stale(Layout(root).lake, datetime.now(UTC))
        self.say(f"the lake has events until {demo_data.events_until(Layout(root).lake):%Y-%m-%d %H:%M} UTC")

    def _recommend(self, processes: ProcessSet, api: AirflowApi) -> Interval:
        follower = RunFollower(api, self.console, Layout(self.settings.root).logs / "airflow", processes.refuse_dead)
        start_at = demo_data.training_start(datetime.now(UTC))
        if not demo_data.has_ranker(self.settings.root, start_at + timedelta(days=1)):
            self.say(f"training the ranker ({TRAINING}, on what was known a day ago)")
            api.unpause(TRAINING)
            follower.follow(TRAINING, api.trigger(TRAINING, {"start": start_at.strftime(KEY_FORMAT)}))
        for dag_id in DAGS:
            api.unpause(dag_id)
        hour = demo_data.last_complete_hour(datetime.now(UTC))
        self.say(f"recommending for the hour {hour.key} ({HOURLY})")
        follower.follow(HOURLY, self._run_of_hour(api, hour))
        return hour

    def _run_of_hour(self, api: AirflowApi, hour: Interval) -> str:
        """The scheduled run of an hour, or a manual one when the schedule makes none or it failed."""
        deadline = time.monotonic() + APPEARS_SECONDS
        while time.monotonic() < deadline:
            run = api.run_of(HOURLY, hour)
            if run is not None and run["state"] != "failed":
                return str(run["dag_run_id"])
            if run is not None:
                break
            time.sleep(POLL_SECONDS)
        return api.trigger(HOURLY, {"start": hour.key})

    def _await_served(self, processes: ProcessSet) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(f"{self.url}/readyz"):
            processes.refuse_dead()
            if time.monotonic() > deadline:
                raise MissingInput(f"{self.url}/readyz is not ready; see {self.settings.root / 'logs' / 'serve.log'}")
            time.sleep(POLL_SECONDS)

    def _announce(self, home: AirflowHome, hour: Interval, *, seconds: float) -> None:
        user = demo_data.head_user(Layout(self.settings.root).lake, hour)
        look_up = f"{self.url}/v1/recommendations/{quote(user, safe='')}?limit=5"
        answer = httpx.get(look_up)
        answer.raise_for_status()
        item = quote(answer.json()["items"][0]["item_id"], safe="")
        self.ready = True
        self.say(f"\nHeadrace is ready after {seconds:.0f} s. Try:\n")
        for url in (look_up, f"{self.url}/v1/items/{item}/similar", f"{self.url}/v1/popular"):
            self.say(f"  curl -s '{url}'")
        self.say(f"\nThe first one answers:\n  {answer.text}\n")
        self._announce_events(user, answer.json()["items"][0]["item_id"])
        self.say(f"Airflow is at {home.url}: {ADMIN} / {home.passwords[ADMIN]} may do everything,")
        self.say(f"  {VIEWER} / {home.passwords[VIEWER]} may look. API pages: {self.url}/docs")
        self.say("New hours run by themselves. Ctrl-C stops everything.")

    def _announce_events(self, user_id: str, item_id: str) -> None:
        web, admin = make_keys(self.settings)
        self.say("Post a purchase of its first item, look up again, and the item is gone:\n")
        self.say(f"  {purchase_command(self.url, web, user_id, item_id)}\n")
        self.say(f"That key may only write events; {admin} may do everything.")
        self.say("What is refused is kept with its reason: python -m headrace dead-letters list\n")

    def _refill(self, processes: ProcessSet) -> None:
        self.say("Redis had ended and was started again")
        if self.ready:
            processes.run("refill", [sys.executable, "-m", "headrace", "refill"], quiet=True)
            self.say("and serves the lists of the hour that served last")

    def _stay(self, processes: ProcessSet, *, once: bool) -> None:
        while not once:
            processes.refuse_dead()
            time.sleep(POLL_SECONDS)


def _own_port(url: str, setting: str) -> int | None:
    parts = urlsplit(url)
    port = parts.port or REDIS_PORT
    ours = parts.scheme == "redis" and parts.hostname in (LOOPBACK, "localhost")
    return port if ours and (setting not in os.environ or is_free(LOOPBACK, port)) else None


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0).is_success
    except httpx.HTTPError:
        return False

"""Airflow's public API, as far as a local run and its tests need it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from contracts.errors import MissingInput
from contracts.intervals import Interval, format_instant
from contracts.pipeline import LIVE_POOL, POOL_SLOTS

REQUEST_SECONDS = 30.0
FINISHED = frozenset({"success", "failed"})


@dataclass(frozen=True, slots=True)
class AirflowApi:
    """One logged-in account; leave the `with` block and its connections are closed."""

    client: httpx.Client

    def __enter__(self) -> "AirflowApi":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    @classmethod
    def log_in(cls, url: str, user: str, password: str) -> "AirflowApi":
        """Get a token for an account; MissingInput when Airflow does not give one."""
        answer = httpx.post(f"{url}/auth/token", json={"username": user, "password": password}, timeout=REQUEST_SECONDS)
        if answer.status_code != httpx.codes.CREATED:
            raise MissingInput(f"Airflow at {url} did not log in {user}: {answer.status_code} {answer.text[:200]}")
        token = answer.json()["access_token"]
        return cls(
            httpx.Client(
                base_url=f"{url}/api/v2", headers={"Authorization": f"Bearer {token}"}, timeout=REQUEST_SECONDS
            )
        )

    def ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Send one request under /api/v2; MissingInput with Airflow's answer when it refuses."""
        answer = self.client.request(method, path, **arguments)
        if answer.is_error:
            raise MissingInput(f"Airflow refused {method} {path}: {answer.status_code} {answer.text[:300]}")
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def make_pools(self) -> None:
        """Make the pools of contracts.pipeline that are missing; slots that an operator has changed stay changed."""
        known = {pool["name"] for pool in self.ask("GET", "/pools")["pools"]}
        if known == {LIVE_POOL}:  # Airflow makes this one itself, with 128 slots
            self.ask(
                "PATCH", f"/pools/{LIVE_POOL}", params={"update_mask": "slots"}, json={"slots": POOL_SLOTS[LIVE_POOL]}
            )
        for name in POOL_SLOTS.keys() - known:
            self.ask("POST", "/pools", json={"name": name, "slots": POOL_SLOTS[name], "include_deferred": False})

    def has_dag(self, dag_id: str) -> bool:
        """Whether the DAG processor has read this DAG."""
        return self.client.get(f"/dags/{dag_id}").status_code == httpx.codes.OK

    def unpause(self, dag_id: str) -> None:
        """Let the schedule run a DAG."""
        self.ask("PATCH", f"/dags/{dag_id}", params={"update_mask": "is_paused"}, json={"is_paused": False})

    def trigger(self, dag_id: str, params: Mapping[str, Any], *, logical_at: datetime | None = None) -> str:
        """Start a manual run and return its id."""
        body = {"logical_date": format_instant(logical_at) if logical_at else None, "conf": dict(params)}
        return str(self.ask("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run_of(self, dag_id: str, interval: Interval) -> dict[str, Any] | None:
        """The run whose logical date is the interval's start, if there is one."""
        at = format_instant(interval.start_at)
        found = self.ask("GET", f"/dags/{dag_id}/dagRuns", params={"logical_date_gte": at, "logical_date_lte": at})[
            "dag_runs"
        ]
        return found[0] if found else None

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run as Airflow tells it."""
        return self.ask("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run, in the order they started; what waits comes last."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        found = self.ask("GET", path)["task_instances"]
        return sorted(found, key=lambda task: (task["start_date"] or "9", task["task_id"]))

    def backfill(self, dag_id: str, first: Interval, last: Interval, *, conf: Mapping[str, Any]) -> int:
        """Make the hours from `first` to `last` again, both included, done or not; returns the backfill's id."""
        body = {
            "dag_id": dag_id,
            "from_date": format_instant(first.start_at),
            "to_date": format_instant(last.start_at),
            "reprocess_behavior": "completed",
            "dag_run_conf": dict(conf),
        }
        return int(self.ask("POST", "/backfills", json=body)["id"])

    def runs(self, dag_id: str, **filters: Any) -> list[dict[str, Any]]:
        """Runs of a DAG, oldest first."""
        return list(
            self.ask("GET", f"/dags/{dag_id}/dagRuns", params={"order_by": "run_after", "limit": 100, **filters})[
                "dag_runs"
            ]
        )


def is_healthy(url: str) -> bool:
    """Whether API server, database, scheduler and DAG processor all report healthy."""
    try:
        health = httpx.get(f"{url}/api/v2/monitor/health", timeout=REQUEST_SECONDS).json()
    except (httpx.HTTPError, ValueError):
        return False
    return all(
        (health.get(part) or {}).get("status") == "healthy" for part in ("metadatabase", "scheduler", "dag_processor")
    )


def wait_for_run(api: AirflowApi, dag_id: str, run_id: str, *, seconds: float) -> str:
    """Wait until a run has finished and return its state; MissingInput when it takes longer."""
    deadline = time.monotonic() + seconds
    while (state := str(api.run(dag_id, run_id)["state"])) not in FINISHED:
        if time.monotonic() > deadline:
            raise MissingInput(f"run {run_id} of {dag_id} is still {state} after {seconds:.0f} s")
        time.sleep(1)
    return state

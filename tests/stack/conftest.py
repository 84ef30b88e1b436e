"""One Airflow for the whole run of tests: started, trained, its live hour run, one past hour made again."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.intervals import KEY_FORMAT
from headrace.airflow_api import wait_for_run
from headrace.demo_data import training_start
from tests.dags.webhooks import Webhook, listening
from tests.stack.local_airflow import HOURLY, RUN_SECONDS, TRAINING, LocalAirflow, local_airflow


@pytest.fixture(scope="session")
def webhook() -> Iterator[Webhook]:
    """Where failures are posted."""
    with listening() as found:
        yield found


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory, webhook: Webhook) -> Iterator[LocalAirflow]:
    """A running Airflow whose DAGs are paused."""
    with local_airflow(tmp_path_factory.mktemp("stack"), failure_webhook=webhook.url) as running:
        yield running


@pytest.fixture(scope="session")
def trained(airflow: LocalAirflow) -> LocalAirflow:
    """Airflow with a ranker whose labels ended a day ago."""
    airflow.api.unpause(TRAINING)
    start = training_start(airflow.hour.end_at).strftime(KEY_FORMAT)
    run_id = airflow.api.trigger(TRAINING, {"start": start})
    assert wait_for_run(airflow.api, TRAINING, run_id, seconds=RUN_SECONDS) == "success", airflow.explain(run_id)
    return airflow


@pytest.fixture(scope="session")
def live(trained: LocalAirflow) -> dict[str, Any]:
    """The run that the schedule makes of the last complete hour, finished."""
    trained.api.unpause(HOURLY)
    deadline = time.monotonic() + 120
    while (run := trained.api.run_of(HOURLY, trained.hour)) is None:
        assert time.monotonic() < deadline, "the schedule made no run of the last complete hour"
        time.sleep(0.5)
    wait_for_run(trained.api, HOURLY, run["dag_run_id"], seconds=RUN_SECONDS)
    return trained.api.run(HOURLY, run["dag_run_id"])


@pytest.fixture(scope="session")
def made_again(airflow: LocalAirflow, live: dict[str, Any]) -> dict[str, Any]:
    """A past hour made by a backfill: its run, the pointer before and after, the digests of what it wrote."""
    before = airflow.pointer()
    runs = airflow.backfill(2)
    assert len(runs) == 1
    return {"run": runs[0], "before": before, "after": airflow.pointer(), "digests": airflow.digests(2)}

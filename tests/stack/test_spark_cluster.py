"""The same DAG on a standalone Spark cluster, by a setting alone, with a worker that dies on the way."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.stack.local_airflow import HOURLY, LocalAirflow
from tests.stack.spark_cluster import SparkCluster, spark_cluster

pytestmark = [pytest.mark.airflow, pytest.mark.spark]


def test_an_hour_on_a_cluster_equals_the_local_one_though_a_worker_was_killed_and_republished_it_serves(
    airflow: LocalAirflow, made_again: dict[str, Any], tmp_path: Path
) -> None:
    made_locally = airflow.digests(2)
    assert made_locally.keys() == made_again["digests"].keys()
    with spark_cluster(tmp_path) as cluster, airflow.with_setting("HEADRACE_SPARK_MASTER", cluster.url):
        killed: list[int] = []
        thread = threading.Thread(target=kill_working_worker, args=(cluster, killed))
        thread.start()
        runs = airflow.backfill(2, republish=True)
        thread.join()
    run_id = runs[0]["dag_run_id"]
    assert [run["state"] for run in runs] == ["success"], airflow.explain(run_id)
    assert killed == [1]
    assert f"--master {cluster.url}" in airflow.log_of(HOURLY, run_id, "score_head")
    assert all(task["try_number"] == 2 for task in airflow.api.tasks(HOURLY, run_id)), "a task was tried again"
    assert airflow.digests(2) == made_locally
    pointer = airflow.pointer()
    assert pointer is not None
    assert pointer.interval == airflow.past_hour(2).key or pointer.interval > airflow.hour.key


def kill_working_worker(cluster: SparkCluster, killed: list[int]) -> None:
    """Wait until the second worker has an executor at work, then kill both at once."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if cluster.executors_of(1):
            time.sleep(3)
            if cluster.executors_of(1):
                cluster.kill_worker(1)
                killed.append(1)
                return
        time.sleep(0.2)

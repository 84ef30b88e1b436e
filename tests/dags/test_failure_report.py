"""A failed run is logged and posted, and a webhook that is down changes nothing."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from dags.failure_report import report_failure
from tests.dags.webhooks import listening

AT = datetime(2026, 1, 31, 7, tzinfo=UTC)
CONTEXT = {
    "dag": SimpleNamespace(dag_id="hourly_recommendations"),
    "run_id": "scheduled__1",
    "reason": "task_failure",
    "dag_run": SimpleNamespace(data_interval_start=AT, data_interval_end=AT.replace(hour=8)),
    "ti": SimpleNamespace(task_id="check", log_url="http://airflow/log"),
}


def test_a_failed_run_is_logged_and_posted(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with listening() as webhook:
        monkeypatch.setenv("HEADRACE_FAILURE_WEBHOOK", webhook.url)
        report_failure(CONTEXT)
    assert [(p["dag_id"], p["run_id"], p["task_id"], p["reason"], p["log_url"]) for p in webhook.posts] == [
        ("hourly_recommendations", "scheduled__1", "check", "task_failure", "http://airflow/log")
    ]
    assert webhook.posts[0]["interval_start"] == "2026-01-31 07:00:00+00:00"
    assert "event=run_failed dag_id=hourly_recommendations run_id=scheduled__1" in caplog.text


def test_without_a_webhook_the_log_is_all(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("HEADRACE_FAILURE_WEBHOOK", raising=False)
    report_failure({"dag": CONTEXT["dag"], "run_id": "x"})
    assert "event=run_failed" in caplog.text and "post" not in caplog.text


@pytest.mark.parametrize("status", [500, None])
def test_a_webhook_that_fails_is_logged_and_nothing_more(
    status: int | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(status or 200) as webhook:
        monkeypatch.setenv("HEADRACE_FAILURE_WEBHOOK", webhook.url if status else "http://127.0.0.1:1/gone")
        report_failure(CONTEXT)
    assert "event=failure_post_failed" in caplog.text

"""Tell people that a run failed: one line in the log, one JSON post where the settings name a webhook."""

import json
import logging
import os
import urllib.request
from collections.abc import Mapping
from typing import Any

from contracts.settings import read_settings

WEBHOOK_SECONDS = 10
logger = logging.getLogger(__name__)


def report_failure(context: Mapping[str, Any]) -> None:
    """Log and post the failure of a run; a webhook that does not answer is logged and nothing more."""
    report = describe_failure(context)
    logger.error("event=run_failed %s", " ".join(f"{name}={value}" for name, value in report.items()))
    webhook = read_settings(os.environ).failure_webhook
    if not webhook:
        return
    body = json.dumps(report).encode()
    request = urllib.request.Request(webhook, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=WEBHOOK_SECONDS) as answer:
            logger.info("event=failure_posted status=%d", answer.status)
    except (OSError, ValueError) as error:
        logger.error("event=failure_post_failed webhook=%s error=%s", webhook, error)


def describe_failure(context: Mapping[str, Any]) -> dict[str, str]:
    """What is known of a failed run, as words: dag, run, interval, the task that failed, reason, page of its log."""
    run, task = context.get("dag_run"), context.get("ti")
    return {
        "dag_id": context["dag"].dag_id,
        "run_id": str(context["run_id"]),
        "interval_start": str(getattr(run, "data_interval_start", None) or ""),
        "interval_end": str(getattr(run, "data_interval_end", None) or ""),
        "task_id": str(getattr(task, "task_id", "")),
        "reason": str(context.get("reason") or ""),
        "log_url": str(getattr(task, "log_url", "")),
    }

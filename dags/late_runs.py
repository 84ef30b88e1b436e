"""Runs that make an hour again because events of it came late: what they are called and told."""

import json
from typing import Any

LATE = "late__"  # how the ids of such runs begin


def late_runs(said: str) -> list[dict[str, Any]]:
    """Arguments of one triggered run for each hour that the task's last line names.

    The id carries the hour's mark, so that one arrival of late events makes one run, however often it is asked for.
    Factors are fitted from nothing, as in a backfill: the hour before may be of another time.
    """
    return [
        {
            "trigger_run_id": f"{LATE}{hour['start']}__{hour['marked_at_ns']}",
            "conf": {"start": hour["start"], "cold": True},
        }
        for hour in json.loads(said)
    ]

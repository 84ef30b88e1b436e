"""Events for tests, of which only what matters is given."""

import time
import uuid
from typing import Any

from contracts.event_contract import VIEW, Event


def happening(
    event_type: str = VIEW, item_id: str = "apple", *, user_id: str = "ada", ago_seconds: float = 0.0, **more: Any
) -> Event:
    """An event of that person, so many seconds ago."""
    at = int((time.time() - ago_seconds) * 1_000_000)
    values = {
        "event_id": str(uuid.uuid4()),
        "event_type": event_type,
        "source": "test",
        "user_id": user_id,
        "anonymous_id": "",
        "session_id": "",
        "item_id": item_id,
        "occurred_at": at,
        "sent_at": at,
        "received_at": at,
    }
    return Event(**{**values, **more})

"""Events as they are once accepted; the Avro schemas beside this file are the single source of truth for their form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One accepted event. Absent strings are ""; instants are microseconds since 1970 by the server's clock."""

    event_id: str
    event_type: str
    source: str
    user_id: str
    anonymous_id: str
    session_id: str
    item_id: str
    occurred_at: int
    sent_at: int
    received_at: int
    value: float | None = None
    currency: str = ""
    quantity: float | None = None
    recommendation_id: str = ""
    impression_id: str = ""
    item_ids: tuple[str, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    consent: Mapping[str, bool] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)

"""An id made from content changes with every part of it, and with nothing else."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from contracts.lake import EVENTS
from ingest.event_ids import content_ids
from ingest.schemas import EVENTS_SCHEMA

EVENT: dict[str, Any] = {
    "event_type": "view",
    "user_id": "ann",
    "item_id": "bread",
    "occurred_at": datetime(2026, 1, 31, 7, tzinfo=UTC),
    "value": 2.5,
    "quantity": 1.0,
    "session_id": "s",
    "context": [("device", "phone"), ("page", "3")],
}
OTHER: dict[str, Any] = {
    "event_type": "click",
    "user_id": "bob",
    "item_id": "milk",
    "occurred_at": datetime(2026, 1, 31, 7, 0, 0, 1, tzinfo=UTC),
    "value": 2.25,
    "quantity": None,
    "session_id": None,
    "context": [("device", "phone"), ("page", "4")],
}


def ids(*events: dict[str, Any]) -> list[str]:
    return list(content_ids(pa.Table.from_pylist(list(events), EVENTS_SCHEMA)).to_pylist())


@pytest.mark.parametrize("name", EVENTS.column_names[1:])
def test_every_column_counts(name: str) -> None:
    one, other = ids(EVENT, {**EVENT, name: OTHER[name]})
    assert one != other


def test_the_id_depends_on_no_neighbour() -> None:
    assert ids(OTHER, {**EVENT, "context": None}, EVENT)[2] == ids(EVENT)[0] != ids(EVENT, OTHER)[1]


def test_values_that_run_into_each_other_stay_apart() -> None:
    one, other = ids({**EVENT, "user_id": "ab", "item_id": "c"}, {**EVENT, "user_id": "a", "item_id": "bc"})
    assert one != other
    one, other = ids({**EVENT, "context": [("a", "b"), ("c", "d")]}, {**EVENT, "context": [("a", "b1:c1:d")]})
    assert one != other

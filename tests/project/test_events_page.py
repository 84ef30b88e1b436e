"""docs/events.md says what the schemas and the gate say."""

import json
import re

from contracts.payloads import SUBJECTS, schema_documents
from infra.write_events_page import PAGE, events_page
from ingest.gate import Accepted, Gate
from ingest.time_units import read_instant


def test_the_page_is_what_the_schemas_and_the_gate_make_of_it() -> None:
    assert PAGE.read_text() == events_page(), "run: python infra/write_events_page.py"


def test_the_page_names_every_field_of_every_schema() -> None:
    text = PAGE.read_text()
    for subject in SUBJECTS:
        newest = max(schema_documents(subject).items())[1]
        assert all(f"| `{field['name']}` |" in text for field in newest["fields"])


def test_the_event_on_the_page_is_accepted() -> None:
    (example,) = re.findall(r"```json\n(.+?)```", PAGE.read_text(), re.S)
    received_at = read_instant(json.loads(example)["occurred_at"])
    assert received_at is not None
    (verdict,) = Gate().check_batch(example.encode(), received_at=received_at)
    assert isinstance(verdict, Accepted)

"""Write docs/events.md from the Avro schemas and the gate's own tables; a test holds the page to them."""

import json
from pathlib import Path
from typing import Any

from contracts.event_contract import EVENT_TYPES
from contracts.payloads import SUBJECTS, schema_documents
from contracts.user_state import MAX_ID_BYTES
from ingest.event_clock import MOST_AHEAD, SECOND, SKEW_TOLERANCE
from ingest.gate import FIELDS, SET_BY_SERVER
from ingest.refusals import MAX_DEPTH, MAX_ENTRIES, MAX_EVENTS, MAX_ITEM_IDS, MAX_PROPERTIES_BYTES, RULES
from ingest.type_rules import NEEDED_FIELDS, NEEDED_PROPERTIES

PAGE = Path(__file__).parents[1] / "docs" / "events.md"
EXAMPLE = {
    "event_id": "0b7e3f2c-5d1a-4c8e-9f60-3a2b1c4d5e6f",
    "event_type": "purchase",
    "user_id": "household-1234",
    "session_id": "s-88213",
    "item_id": "sku-1044521",
    "occurred_at": "2026-01-31T07:00:12.500Z",
    "value": 12.5,
    "currency": "EUR",
    "quantity": 2,
    "context": {"channel": "web", "placement": "home"},
}
_OPENING = f"""# Events

What an event may say, what the gate refuses and why. This page is written by `python infra/write_events_page.py` from
`contracts/schemas/*/v*.avsc`, the single source of truth, and from the gate's own tables; a test holds it to them.

`POST /v1/events` takes one event, an array of them, or `{{"events": [...], "sent_at": ...}}`, at most {MAX_EVENTS} at
once, as UTF-8 JSON, and answers with a verdict for each in the order sent. One that is broken, even one that is no
JSON, does not keep its neighbours out. An event:

```json
{json.dumps(EXAMPLE, indent=2)}
```

```
curl localhost:8080/v1/events -H "X-API-Key: $KEY" -H 'Content-Type: application/json' -d "{{
  \\"event_id\\": \\"$(uuidgen)\\", \\"event_type\\": \\"purchase\\", \\"occurred_at\\": $(date +%s),
  \\"user_id\\": \\"household-1234\\", \\"item_id\\": \\"sku-1044521\\"}}"
```

Absent, null and empty mean the same. A field that is not in this table is refused with the names near to it.
"""
_TIMES = f"""## Times

Each instant is told apart by itself: a number below 10¹¹ is seconds, below 10¹⁴ milliseconds, below 10¹⁷ microseconds,
else nanoseconds; text is such a number or ISO 8601, in UTC when it has no offset.

- `occurred_at` lies in 2015 or later, and at most {MOST_AHEAD // SECOND // 60} minutes ahead of the server's clock.
- With `sent_at`, a wrong clock is put right: when `received - sent` is more than {SKEW_TOLERANCE // SECOND} seconds
  either way, the event happened at `received - (sent - occurred)`. So stamp `sent_at` anew on every attempt, by the
  same clock as `occurred_at`. The batch may carry one `sent_at` for those of its events that have none.
- Without `sent_at`, `occurred_at` is believed.
- A retry repeats `event_id` and `occurred_at` as they were: duplicates are found by the two together.
"""
_BOUNDS = f"""## Bounds

`context` and `consent` have at most {MAX_ENTRIES} names, `item_ids` {MAX_ITEM_IDS} entries, `properties` {MAX_DEPTH}
levels and {MAX_PROPERTIES_BYTES:,} bytes of JSON, ids {MAX_ID_BYTES} bytes of UTF-8. `properties` is the place for
everything that has no field of its own.
"""
_LETTERS = """## Dead letters

What is refused is kept as it came, with reason, stage, schema version and its offset on the stream, and waits in the
lake's table `dead_letters`:

```
python -m headrace dead-letters list --reason occurred_at_ahead --from 2026-01-31T07
python -m headrace dead-letters show LETTER
python -m headrace dead-letters replay LETTER --with fixed.json
python -m headrace dead-letters replay --reason item_id_missing
```

A letter's id is a hash of its bytes and its sender, so that the same mistake sent again is the same letter. `replay`
takes letters through the gate again, as received when they were received: after a rule was changed, or with `--with`
the mended event. An event without a usable `event_id` gets one that is always the same for its letter. Replaying twice
equals once, within the 72 hours of deduplication on the stream and in the lake at any time. `list` shows what still
lies in the lake; a letter that was replayed stays there as a record of what happened.

A letter of stage `archive` is no event of a sender: it is the payload of a record that the archiver could not read,
most often written by a newer version. It cannot be replayed.
"""
_EVOLUTION = """## Changing a schema

A new version is a new file `v<N>.avsc` beside the old ones, which stay as they are. The rule is FULL_TRANSITIVE: every
version reads what every other one wrote. In practice: add and remove only fields that have a default, and change no
type. A test writes real records by each version and reads them by each other. A payload on the stream is one byte of
version, then Avro without a header.
"""
_TITLES = {
    "item": "Items",
    "user": "People",
    "tombstone": "Requests to be forgotten",
    "dead_letter": "Dead letters on the stream",
}


def events_page() -> str:
    """The whole page."""
    parts = [
        _OPENING,
        f"## Fields\n\n{_event_table()}",
        f"## Types\n\n{_type_table()}",
        _TIMES,
        _BOUNDS,
        f"## Reasons\n\nA star stands for the name of a field.\n\n{_reason_table()}",
        _LETTERS,
        *(f"## {_TITLES[subject]}\n\n{_subject_table(subject)}" for subject in SUBJECTS if subject in _TITLES),
        _EVOLUTION,
    ]
    return "\n".join(parts)


def _newest(subject: str) -> dict[str, Any]:
    documents = schema_documents(subject)
    return documents[max(documents)]


def _event_table() -> str:
    fields = [field for field in _newest("event")["fields"] if field["name"] in FIELDS | SET_BY_SERVER]
    rows = [(f"`{f['name']}`", _sent_as(f), "yes" if "default" not in f else "", f["doc"]) for f in fields]
    rows.append(
        ("`schema_version`", "integer", "", "Version of this table that the sender means; the newest if absent.")
    )
    return _table(("field", "sent as", "needed", "what it says"), rows)


def _subject_table(subject: str) -> str:
    document = _newest(subject)
    rows = [(f"`{f['name']}`", _avro_name(f["type"]), f["doc"]) for f in document["fields"]]
    return f"{document['doc']}\n\n{_table(('field', 'type', 'what it says'), rows)}"


def _type_table() -> str:
    rows = []
    for name in EVENT_TYPES:
        properties = [f"properties.{one}" for one in NEEDED_PROPERTIES.get(name, ())]
        needed = ", ".join(f"`{one}`" for one in [*NEEDED_FIELDS.get(name, ()), *properties])
        rows.append((f"`{name}`", needed or "nothing more"))
    rows.append(("a name of your own", "nothing more"))
    return _table(("event_type", "needs, beside the fields that every event needs"), rows)


def _reason_table() -> str:
    return _table(("reason", "stage", "what to do"), [(f"`{name}`", r.stage, r.cure) for name, r in RULES.items()])


def _sent_as(field: dict[str, Any]) -> str:
    if field["name"].endswith("_at"):
        return "instant" if field["name"] not in SET_BY_SERVER else "never"
    if field["name"] == "properties":
        return "object"
    return _avro_name(field["type"])


def _avro_name(kind: Any) -> str:
    names = {"string": "text", "long": "integer", "int": "integer", "double": "number", "bytes": "bytes"}
    if isinstance(kind, list):
        return _avro_name(next(one for one in kind if one != "null")) + " or null"
    if isinstance(kind, dict):
        inner = kind.get("values") or kind["items"]
        return f"object of {_avro_name(inner)}" if kind["type"] == "map" else f"array of {_avro_name(inner)}"
    return names.get(kind, "true or false" if kind == "boolean" else kind)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(events_page())

"""Messages of the Segment HTTP API brought to the intake; its libraries take any 2xx for yes."""

import time
from collections.abc import Mapping, Sequence

from flask import Request, Response

from contracts.entity_contract import User, record_of_user
from contracts.errors import BadInput
from ingest.entity_rules import read_user
from ingest.gate import Verdict
from ingest.segment_events import map_message
from serving.api_keys import EVENTS_WRITE, ApiKey
from serving.bodies import JSON, TEXT, read_json
from serving.event_intake import take_verdicts
from serving.receipts import receipt
from serving.services import Services

MAX_SEGMENT_BYTES = 512 * 1024  # what Segment allows a batch; its libraries fill it
MAX_TRAITS = 32


def read_document(services: Services, request: Request) -> tuple[ApiKey, Mapping[str, object]]:
    """The caller and the body; a key may also stand in the body, as browsers send it when they leave a page."""
    if not request.authorization and "X-API-Key" not in request.headers:
        document = read_json(request, types=(JSON, TEXT), limit=MAX_SEGMENT_BYTES)
        given = document.get("writeKey") if isinstance(document, dict) else None
        key = services.callers.authorize(request, EVENTS_WRITE, given if isinstance(given, str) else "")
    else:
        key = services.callers.authorize(request, EVENTS_WRITE)
        document = read_json(request, types=(JSON, TEXT), limit=MAX_SEGMENT_BYTES)
    if not isinstance(document, dict):
        raise BadInput("the body is no JSON object; send a message of the Segment HTTP API")
    return key, document


def take_messages(services: Services, key: ApiKey, messages: Sequence[object], sent_at: object) -> Response:
    """Map, check and store messages; every library reads 200 as success."""
    received_at = time.time_ns() // 1_000
    verdicts: list[Verdict] = []
    users: list[User] = []
    for message in messages:
        mapped = map_message(message)
        for event in mapped.events:
            raw = event
            if "event_type" in event:
                raw = {"occurred_at": received_at, **({"sent_at": sent_at} if sent_at else {}), **event}
            verdicts.append(services.gate.check(raw, received_at=received_at, source=key.name))
        if mapped.user is not None and (user := _user_of(mapped.user, received_at, key.name)):
            users.append(user)
    services.callers.charge(key, len(verdicts))
    outcome = take_verdicts(services.intake, verdicts, [record_of_user(user) for user in users])
    services.metrics.events_taken(outcome.results)
    return receipt(outcome.results, visible=outcome.visible, status=200, success=True)


def _user_of(raw: Mapping[str, object], received_at: int, source: str) -> User | None:
    attributes = raw["attributes"]
    kept = dict(list(attributes.items())[:MAX_TRAITS]) if isinstance(attributes, dict) else {}
    try:
        return read_user({**raw, "attributes": kept}, received_at=received_at, source=source)
    except BadInput:
        return None

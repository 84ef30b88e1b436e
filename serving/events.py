"""POST /v1/events: what people do, one event or up to 500, acknowledged once it is durable."""

import time

from flask import Flask, Response, request
from werkzeug.exceptions import BadRequest

from contracts.dead_letter_contract import PARSE
from ingest.gate import Refused
from serving.api_keys import EVENTS_WRITE
from serving.bodies import read_body
from serving.event_intake import take_verdicts
from serving.receipts import receipt
from serving.services import Services

ROUTE = "events"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.post("/v1/events", endpoint=ROUTE)
    def events() -> Response:
        key = services.callers.authorize(request, EVENTS_WRITE)
        body = read_body(request)
        verdicts = services.gate.check_batch(body, received_at=time.time_ns() // 1_000, source=key.name)
        services.callers.charge(key, len(verdicts))
        outcome = take_verdicts(services.intake, verdicts)
        services.metrics.events_taken(outcome.results)
        if len(verdicts) == 1 and isinstance(verdicts[0], Refused) and verdicts[0].stage == PARSE:
            raise BadRequest(f"{verdicts[0].reason}: {verdicts[0].detail}; it is kept as a dead letter")
        return receipt(outcome.results, visible=outcome.visible)

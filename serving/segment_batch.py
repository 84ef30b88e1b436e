"""POST /v1/batch of the Segment HTTP API: what its libraries send."""

from flask import Flask, Response, request

from contracts.errors import BadInput
from serving.segment_intake import read_document, take_messages
from serving.services import Services

ROUTE = "segment_batch"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.post("/v1/batch", endpoint=ROUTE)
    def segment_batch() -> Response:
        key, document = read_document(services, request)
        messages = document.get("batch")
        if not isinstance(messages, list):
            raise BadInput('the body has no array under "batch"')
        return take_messages(services, key, messages, document.get("sentAt"))

"""POST /v1/track, /v1/identify, /v1/page and /v1/alias of the Segment HTTP API: one message each, typed by its path."""

from flask import Flask, Response, request

from serving.segment_intake import read_document, take_messages
from serving.services import Services

CALLS = ("track", "identify", "page", "alias")


def register(app: Flask, services: Services) -> None:
    """Add the routes."""

    def segment_call() -> Response:
        key, document = read_document(services, request)
        message = {**document, "type": request.path.rpartition("/")[2]}
        return take_messages(services, key, [message], document.get("sentAt"))

    for call in CALLS:
        app.add_url_rule(f"/v1/{call}", f"segment_{call}", segment_call, methods=["POST"])

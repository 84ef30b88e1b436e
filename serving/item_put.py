"""PUT /v1/items/{item_id}: an item's attributes, whole; one that is not available is in no answer from now on."""

import time

from flask import Flask, Response, request

from ingest.entity_rules import read_item
from serving.api_keys import ADMIN
from serving.asks import external_id
from serving.bodies import read_json
from serving.entity_intake import take_items
from serving.services import Services

ROUTE = "item_put"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.put("/v1/items/<path:item_id>", endpoint=ROUTE)
    def item_put(item_id: str) -> Response:
        key = services.callers.authorize(request, ADMIN)
        named, body = external_id("item_id", item_id), read_json(request)
        services.callers.charge(key, 1)
        received_at = time.time_ns() // 1_000
        return take_items(services, [read_item(body, received_at=received_at, source=key.name, item_id=named)])

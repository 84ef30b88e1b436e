"""POST /v1/items: up to 500 items at once; good ones are taken beside bad ones."""

from flask import Flask, Response, request

from ingest.entity_rules import read_item
from serving.api_keys import ADMIN
from serving.bodies import read_json
from serving.entity_intake import read_each, take_items
from serving.services import Services

ROUTE, ITEMS = "items_bulk", "items"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.post("/v1/items", endpoint=ROUTE)
    def items_bulk() -> Response:
        key = services.callers.authorize(request, ADMIN)
        entries = read_each(read_json(request), ITEMS, read_item, key.name)
        services.callers.charge(key, len(entries))
        return take_items(services, entries)

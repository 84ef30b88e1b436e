"""GET /v1/items/{item_id}/similar: items like one."""

from flask import Flask, Response, request

from serving.asks import ask_for_similar
from serving.http_answers import SHARED
from serving.replies import reply
from serving.services import Services

ROUTE = "similar"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.get("/v1/items/<path:item_id>/similar", endpoint=ROUTE)
    def similar(item_id: str) -> Response:
        ask = ask_for_similar(item_id, request.args)
        return reply(services.ladder.similar(ask, services.store.new_deadline()), SHARED)

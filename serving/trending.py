"""GET /v1/trending: what people turn to now, or what trended by the last hour."""

from flask import Flask, Response, request

from serving.asks import ask_for_trending
from serving.http_answers import SHARED
from serving.replies import reply
from serving.services import Services

ROUTE = "trending"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.get("/v1/trending", endpoint=ROUTE)
    def trending() -> Response:
        ask = ask_for_trending(request.args)
        return reply(services.ladder.trending(ask, services.store.new_deadline()), SHARED)

"""GET /v1/popular: what is popular overall, in a region or in a category."""

from flask import Flask, Response, request

from serving.asks import ask_for_popular
from serving.http_answers import SHARED
from serving.replies import reply
from serving.services import Services

ROUTE = "popular"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.get("/v1/popular", endpoint=ROUTE)
    def popular() -> Response:
        ask = ask_for_popular(request.args)
        return reply(services.ladder.popular(ask, services.store.new_deadline()), SHARED)

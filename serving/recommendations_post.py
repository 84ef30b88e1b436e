"""POST /v1/recommendations: a person's list, given what they just did, what they must not see and what may be shown."""

from flask import Flask, Response, request

from serving.ask_bodies import ask_of_body
from serving.bodies import read_json
from serving.person_replies import reply_to
from serving.services import Services

ROUTE = "recommendations_post"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.post("/v1/recommendations", endpoint=ROUTE)
    def recommendations_post() -> Response:
        ask = ask_of_body(read_json(request), services.placements)
        return reply_to(ask, services.store, lambda record, until: services.ladder.recommend(ask, record, until))

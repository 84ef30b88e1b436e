"""GET /v1/recommendations/{user_id}: a person's list at a place."""

from flask import Flask, Response, request

from serving.asks import ask_for_person
from serving.fast_path import FAILURE, PREFIX, ROUTE
from serving.person_replies import reply_to
from serving.services import Services


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.get(f"{PREFIX}<path:user_id>", endpoint=ROUTE)
    def recommendations(user_id: str) -> Response:
        if FAILURE in request.environ:
            raise request.environ[FAILURE]
        ask = ask_for_person(user_id, request.args, services.placements)
        return reply_to(ask, services.store, lambda record, until: services.ladder.recommend(ask, record, until))

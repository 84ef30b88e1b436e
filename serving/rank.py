"""POST /v1/rank: a given list, such as the outcome of a search, in the best order for a person."""

from flask import Flask, Response, request

from serving.ask_bodies import rank_of_body
from serving.bodies import read_json
from serving.person_replies import reply_to
from serving.services import Services

ROUTE = "rank"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.post("/v1/rank", endpoint=ROUTE)
    def rank() -> Response:
        ask = rank_of_body(read_json(request), services.placements)
        return reply_to(ask.person, services.store, lambda record, until: services.ranking.rank(ask, record, until))

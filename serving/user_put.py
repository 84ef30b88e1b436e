"""PUT /v1/users/{user_id}: a person's attributes, whole; the next hour knows them."""

import time

from flask import Flask, Response, request

from ingest.entity_rules import read_user
from serving.api_keys import ADMIN
from serving.asks import external_id
from serving.bodies import read_json
from serving.entity_intake import take_users
from serving.services import Services

ROUTE = "user_put"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.put("/v1/users/<path:user_id>", endpoint=ROUTE)
    def user_put(user_id: str) -> Response:
        key = services.callers.authorize(request, ADMIN)
        named, body = external_id("user_id", user_id), read_json(request)
        services.callers.charge(key, 1)
        received_at = time.time_ns() // 1_000
        return take_users(services, [read_user(body, received_at=received_at, source=key.name, user_id=named)])

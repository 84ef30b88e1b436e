"""POST /v1/users: up to 500 people at once; good ones are taken beside bad ones."""

from flask import Flask, Response, request

from ingest.entity_rules import read_user
from serving.api_keys import ADMIN
from serving.bodies import read_json
from serving.entity_intake import read_each, take_users
from serving.services import Services

ROUTE, USERS = "users_bulk", "users"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.post("/v1/users", endpoint=ROUTE)
    def users_bulk() -> Response:
        key = services.callers.authorize(request, ADMIN)
        entries = read_each(read_json(request), USERS, read_user, key.name)
        services.callers.charge(key, len(entries))
        return take_users(services, entries)

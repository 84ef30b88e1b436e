"""DELETE /v1/users/{user_id}: session, lists and profile go at once, and a tombstone tells the next hours."""

import time

from flask import Flask, Response, request

from contracts.entity_contract import Tombstone, record_of_tombstone
from serving.api_keys import ADMIN
from serving.asks import external_id
from serving.receipts import ACCEPTED, receipt
from serving.services import Services

ROUTE = "user_delete"


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.delete("/v1/users/<path:user_id>", endpoint=ROUTE)
    def user_delete(user_id: str) -> Response:
        key = services.callers.authorize(request, ADMIN)
        tombstone = Tombstone(external_id("user_id", user_id), time.time_ns() // 1_000, key.name)
        taken = services.intake.take([record_of_tombstone(tombstone)], [tombstone])
        return receipt([{"user_id": tombstone.user_id, "status": ACCEPTED}], visible=taken.visible)

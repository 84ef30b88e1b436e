"""GET /livez, /readyz and /metrics: whether the process runs, whether it has something to show, what it counted."""

import json

from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST

from serving.http_answers import JSON_TYPE, PROBLEM_TYPE, problem
from serving.services import Services

NOT_READY = "no list is known, neither from Redis nor from disk; start Redis or publish an hour"


def register(app: Flask, services: Services) -> None:
    """Add the routes."""

    @app.get("/livez", endpoint="livez")
    def livez() -> Response:
        return Response(json.dumps({"live": True}), content_type=JSON_TYPE)

    @app.get("/readyz", endpoint="readyz")
    def readyz() -> Response:
        if not services.is_ready():
            return Response(problem(503, "not-ready", NOT_READY), 503, content_type=PROBLEM_TYPE)
        return Response(json.dumps({"ready": True, "redis": services.redis.is_closed}), content_type=JSON_TYPE)

    @app.get("/metrics", endpoint="metrics")
    def metrics() -> Response:
        services.refresh_gauges()
        return Response(services.metrics.exposition(), content_type=CONTENT_TYPE_LATEST)

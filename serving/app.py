"""The composition root: settings in, a WSGI application out."""

import logging
import os
import time

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from contracts.errors import BadInput, HeadraceError, MissingInput
from contracts.settings import Settings, read_settings
from ingest.spool import SpoolFull
from ingest.stream import StreamFull
from serving import (
    events,
    health,
    item_put,
    items_bulk,
    pages,
    popular,
    rank,
    recommendations,
    recommendations_post,
    segment_batch,
    segment_call,
    similar,
    trending,
    user_delete,
    user_put,
    users_bulk,
)
from serving.fast_path import FastPath
from serving.http_answers import CORS_PREFLIGHT, PROBLEM_TYPE, problem
from serving.metrics import NO_SOURCE
from serving.on_demand import Answers
from serving.services import Services, open_services

logger = logging.getLogger(__name__)

UNMATCHED = "unmatched"
EXTENSION = "headrace"
LOOK_UPS = (recommendations, recommendations_post, rank, similar, popular, trending)
INTAKES = (events, item_put, items_bulk, user_put, users_bulk, user_delete, segment_batch, segment_call)
ROUTES = (*LOOK_UPS, *INTAKES, health, pages)
PUT_OFF_SECONDS = "5"


def create_app(settings: Settings | None = None, answers: Answers | None = None) -> Flask:
    """The application that serves: Flask behind the fast path. Settings default to the environment's.

    `answers` stands in for the inference service of the settings.
    """
    app = create_flask(open_services(settings or read_settings(os.environ), answers))
    app.wsgi_app = FastPath(app.wsgi_app, services_of(app))  # type: ignore[method-assign]
    return app


def create_flask(services: Services) -> Flask:
    """Flask alone: every route, every decision."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    app.extensions[EXTENSION] = services
    for routes in ROUTES:
        routes.register(app, services)
    _answer_errors(app)
    _observe_requests(app, services)
    return app


def services_of(app: Flask) -> Services:
    """What `app` was put together from."""
    services: Services = app.extensions[EXTENSION]
    return services


def _answer_errors(app: Flask) -> None:
    def bad(error: BadInput) -> Response:
        return _problem(400, "bad-request", str(error))

    def empty(error: MissingInput) -> Response:
        response = _problem(503, "nothing-published", str(error))
        response.headers["Retry-After"] = "1"
        return response

    def put_off(error: HeadraceError) -> Response:
        response = _problem(503, "events-put-off", str(error))
        response.headers["Retry-After"] = PUT_OFF_SECONDS
        return response

    def http(error: HTTPException) -> Response:
        name = (error.name or "error").lower().replace(" ", "-")
        response = _problem(error.code or 500, name, error.description or "")
        for key, value in error.get_headers():
            if key.lower() not in ("content-type", "content-length"):
                response.headers[key] = value
        return response

    def broken(error: Exception) -> Response:
        logger.exception("request_failed path=%s", request.path)
        return _problem(500, "internal-server-error", "the server failed on this request; its log has the reason")

    app.register_error_handler(BadInput, bad)
    app.register_error_handler(MissingInput, empty)
    app.register_error_handler(StreamFull, put_off)
    app.register_error_handler(SpoolFull, put_off)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, broken)


def _problem(status: int, name: str, detail: str) -> Response:
    return Response(problem(status, name, detail), status, content_type=PROBLEM_TYPE)


def _observe_requests(app: Flask, services: Services) -> None:
    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        allowed = services.cors.headers(request.headers.get("Origin", ""))
        response.headers.extend(allowed)
        if request.method == "OPTIONS" and len(allowed) > 1:
            response.headers.extend(CORS_PREFLIGHT)
        route = request.endpoint or UNMATCHED
        observe = services.metrics.observer(route, g.get("source", NO_SOURCE), response.status_code)
        observe(time.perf_counter() - g.started)
        return response

"""GET /openapi.json and /docs: what the API promises, for programs and for people."""

from importlib.resources import files

from flask import Flask, Response

from serving.http_answers import JSON_TYPE
from serving.services import Services

STATIC = files("serving").joinpath("static")


def register(app: Flask, services: Services) -> None:
    """Add the routes."""
    contract = STATIC.joinpath("openapi.json").read_bytes()
    page = STATIC.joinpath("docs.html").read_bytes()

    @app.get("/openapi.json", endpoint="openapi")
    def openapi() -> Response:
        return Response(contract, content_type=JSON_TYPE)

    @app.get("/docs", endpoint="docs")
    def docs() -> Response:
        return Response(page, content_type="text/html; charset=utf-8")

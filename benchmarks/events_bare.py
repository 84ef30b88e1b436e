"""The reference of the event figures: a route of Flask that reads a body and keeps nothing, under the same gunicorn."""

from flask import Flask, Response, request

app = Flask(__name__, static_folder=None)
BODY = b'{"ok":true}'


@app.post("/v1/events")
def bare() -> Response:
    """Read the body and answer with a constant."""
    request.get_data()
    return Response(BODY, 202, content_type="application/json")


@app.get("/v1/recommendations/<user_id>")
def ready(user_id: str) -> Response:
    """What the benchmark asks to see whether the server is up."""
    return Response(BODY, content_type="application/json")

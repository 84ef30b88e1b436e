"""The reference of the look-up figures: the least that Flask can answer, under the same gunicorn."""

from flask import Flask, Response

app = Flask(__name__, static_folder=None)
BODY = b'{"ok":true}'


@app.get("/v1/recommendations/<user_id>")
def bare(user_id: str) -> Response:
    """Answer with a constant."""
    return Response(BODY, content_type="application/json")

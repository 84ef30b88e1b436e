"""The layer before Flask, for plain look-ups of the default placement: stored bytes, or else what the ladder answers.

Bytes are handed through when they are there, the overlay is absent or its flag says so, and no item in them is
delisted. Whatever needs a decision is decided by the same ladder that Flask asks, without what Flask costs; requests
with parameters, and failures, are left to Flask.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from contracts.answers import SOURCE_HEAD
from contracts.overlay import hands_through, sequence_of
from contracts.user_state import MAX_ID_BYTES
from serving.asks import PLACEMENT, PersonAsk
from serving.http_answers import PRIVATE, answer_headers
from serving.services import Services

PREFIX = "/v1/recommendations/"
ROUTE = "recommendations"
FAILURE = "headrace.failure"  # what Flask finds in the environ and need not fail with again
WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class FastPath:
    """Answers plain look-ups; hands everything else to `inner`."""

    def __init__(self, inner: WSGI, services: Services) -> None:
        self._inner = inner
        self._store = services.store
        self._cors = services.cors
        default = services.placements.default
        self._plain_queries = frozenset(("", f"{PLACEMENT}={default.name}") if default.hands_bytes_through else ())
        self._observe = services.metrics.observer(ROUTE, SOURCE_HEAD, 200)
        self._observer = services.metrics.observer
        self._ladder = services.ladder
        self._default = default

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        started = time.perf_counter()
        path = environ["PATH_INFO"]
        if not (
            path.startswith(PREFIX)
            and environ["REQUEST_METHOD"] == "GET"
            and environ["QUERY_STRING"] in self._plain_queries
        ):
            return self._inner(environ, start_response)
        user_id = _plain_id(path[len(PREFIX) :])
        if not user_id:
            return self._inner(environ, start_response)
        deadline = self._store.new_deadline()
        record = self._store.person(user_id, deadline)
        stored, overlay = record.stored, record.overlay
        if stored is None or record.pin is None or not hands_through(overlay) or record.delisted.may_touch(stored):
            try:
                answer = self._ladder.recommend(PersonAsk(user_id, self._default), record, deadline)
            except Exception as error:  # Flask logs it and makes a problem of it, as of any other
                environ[FAILURE] = error
                return self._inner(environ, start_response)
            observe, generated_epoch = self._observer(ROUTE, answer.source, 200), answer.generated_epoch
            stored = answer.body
        else:
            observe, generated_epoch = self._observe, record.pin.generated_epoch
        age = max(0, int(time.time() - generated_epoch))
        headers = answer_headers(len(stored), age, PRIVATE, sequence_of(overlay) if overlay else "")
        if self._cors.origins:
            headers += self._cors.headers(environ.get("HTTP_ORIGIN", ""))
        start_response("200 OK", headers)
        observe(time.perf_counter() - started)
        return (stored,)


def _plain_id(text: str) -> str:
    """The user id in a path (bytes as latin-1, PEP 3333), "" when it needs a closer look."""
    if not text.isascii():
        try:
            text = text.encode("latin-1").decode()
        except UnicodeError:
            return ""
        return text if len(text.encode()) <= MAX_ID_BYTES and "/" not in text and "\ufffd" not in text else ""
    return text if len(text) <= MAX_ID_BYTES and "/" not in text else ""

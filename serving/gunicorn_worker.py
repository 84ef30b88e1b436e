"""gunicorn's gthread worker, whose answer to a request that it cannot read is a JSON problem like any other."""

import contextlib
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException  # type: ignore[import-untyped]
from gunicorn.util import write_nonblock  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from serving.http_answers import PROBLEM_TYPE, problem

STATUS_LINES = {400: "400 Bad Request", 431: "431 Request Header Fields Too Large"}


class ProblemWorker(ThreadWorker):  # type: ignore[misc]
    """gthread; gunicorn names its own extension point, so this is a subclass."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what is no request of HTTP, or too long a one, and leave the rest to gunicorn."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("request_unreadable from=%s: %s", addr[0] if addr else "socket", exc)
        with contextlib.suppress(OSError):
            write_nonblock(client, problem_response(exc))


def problem_response(error: ParseException) -> bytes:
    """A whole HTTP response for bytes that could not be read as a request."""
    status, detail = 400, "what was sent cannot be read as an HTTP request"
    if isinstance(error, LimitRequestLine):
        detail = "the request line is too long; ids have at most 256 bytes"
    elif isinstance(error, LimitRequestHeaders):
        status, detail = 431, "the request has too many or too long headers"
    body = problem(status, "unreadable-request", detail)
    head = (
        f"HTTP/1.1 {STATUS_LINES[status]}\r\nConnection: close\r\n"
        f"Content-Type: {PROBLEM_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body

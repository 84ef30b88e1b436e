"""A web server that keeps what is posted to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Webhook:
    """Where to post, and what came."""

    url: str
    posts: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def listening(status: int = 200) -> Iterator[Webhook]:
    """Listen on a free port and answer every post with `status`."""
    posts: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Webhook(f"http://127.0.0.1:{server.server_port}/hook", posts)
        finally:
            server.shutdown()
            thread.join()

"""In-process CPU of one answer: the WSGI application called in a loop, without a server around it."""

import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import psutil

WARM_UP = 300


def wsgi_environ(path: str) -> dict[str, Any]:
    """What a server hands over for a GET of `path`, with the headers that wrk sends."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "RAW_URI": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def cpu_seconds_a_call(
    app: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]], paths: Iterable[str], count: int
) -> float:
    """Mean CPU seconds of this process (user and system) that one answer takes."""
    turning = cycle(paths)
    _call(app, turning, WARM_UP)
    before = time.process_time()
    _call(app, turning, count)
    return (time.process_time() - before) / count


@contextmanager
def on_one_core(server: str) -> Iterator[None]:
    """Keep this process, and those that it started under the name `server`, on one core.

    A call to a server on another core puts this one to sleep and wakes that one. On a virtual machine both are exits
    to the host, which cost three times the look-up and are counted as ours.
    """
    below = [child for child in psutil.Process().children(recursive=True) if server in child.name()]
    cores = os.sched_getaffinity(0)
    for process in (psutil.Process(), *below):
        process.cpu_affinity([min(cores)])
    try:
        yield
    finally:
        for process in (psutil.Process(), *below):
            process.cpu_affinity(sorted(cores))


def _call(app: Callable[..., Iterable[bytes]], paths: Iterator[str], count: int) -> None:
    for _ in range(count):
        body = app(wsgi_environ(next(paths)), _start_response)
        for _chunk in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()


def _start_response(status: str, _headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
    if not status.startswith("200"):
        raise RuntimeError(f"an answer of the benchmark was {status}; it measures answers of 200 only")

"""A few pages over HTTP for whoever watches the service: /metrics, and /readyz while a worker can answer."""

import asyncio

from serving.inference.dispatcher import Dispatcher

READ_SECONDS = 2.0
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


async def open_metrics_page(dispatcher: Dispatcher, host: str, port: int) -> asyncio.Server:
    """Listen there; OSError when it is taken."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(READ_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_page(dispatcher, _path_of(request)))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()  # what it sent is not read: a close would wait for it
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port, limit=8_192)


def _path_of(request: bytes) -> bytes:
    """The path of a request, empty where it has none."""
    words = request.split(b" ", 2)
    return words[1] if len(words) > 1 else b""


def _page(dispatcher: Dispatcher, path: bytes) -> bytes:
    if path == b"/metrics":
        dispatcher.refresh_gauges()
        return _response("200 OK", EXPOSITION, dispatcher.tally.exposition())
    if path == b"/readyz":
        status = "200 OK" if dispatcher.is_ready else "503 Service Unavailable"
        return _response(status, "text/plain", b"ready\n" if dispatcher.is_ready else b"no worker is ready\n")
    return _response("404 Not Found", "text/plain", b"there are /metrics and /readyz\n")


def _response(status: str, content_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body

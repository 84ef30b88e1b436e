"""Peers that are slow, silent or strange: tiny TCP servers for tests."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Behaviour = Callable[[socket.socket], None]


@contextmanager
def peer(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run `behaviour` on every connection to a port of loopback, which it gives."""
    listener = socket.create_server(("127.0.0.1", 0))
    links: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                link, _ = listener.accept()
                links.append(context.wrap_socket(link, server_side=True) if context else link)
            except ssl.SSLError:
                continue
            except OSError:
                return
            threading.Thread(target=quietly, args=(links[-1],), daemon=True).start()

    def quietly(link: socket.socket) -> None:
        with suppress(OSError):
            behaviour(link)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)
        for link in links:
            link.close()


def drip(link: socket.socket) -> None:
    """Answer with a long value, a byte each 5 ms: no single receive ever waits long."""
    link.recv(4_096)
    link.sendall(b"*1\r\n$1000\r\n")
    for _ in range(1_000):
        link.sendall(b"x")
        time.sleep(0.005)


def say_nothing(link: socket.socket) -> None:
    """Read, and never answer."""
    while link.recv(4_096):
        pass


def speak_http(link: socket.socket) -> None:
    """Answer as a web server would."""
    link.recv(4_096)
    link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def answer_each(reply: bytes) -> Behaviour:
    """Give this reply to each command."""

    def behave(link: socket.socket) -> None:
        while link.recv(4_096):
            link.sendall(reply)

    return behave


def hang_up_after(reply: bytes) -> Behaviour:
    """Give one reply, then close: what a server does with a stream that lies idle."""

    def behave(link: socket.socket) -> None:
        link.recv(4_096)
        link.sendall(reply)
        link.shutdown(socket.SHUT_RDWR)

    return behave

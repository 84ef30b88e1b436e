"""Connections to the stream's Redis server: every exchange ends by its deadline, or its connection is closed."""

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.connection import parse_url

from contracts.errors import BadInput, StoreUnavailable

_RECEIVE_BYTES = 65_536
_DEFAULT_PORT = 6379
# What a server answers while it cannot serve, rather than because of what it was asked.
_AWAY = ("LOADING", "MASTERDOWN", "BUSY", "CLUSTERDOWN", "NOAUTH", "WRONGPASS", "NOPERM", "READONLY", "MISCONF")

Command = Sequence[bytes | int | str]


class Refusal(Exception):
    """The server's error reply to a command; `word` is its first word."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.word = text.partition(" ")[0]


class RedisLink:
    """One connected, authenticated stream, for one thread at a time. Deadlines are instants of time.monotonic()."""

    def __init__(self, url: str, deadline: float) -> None:
        self._name = redact(url)
        self._reader = hiredis.Reader()
        options = parse_url(url)
        self._socket = self._dial(options, deadline)
        greeting: list[Command] = []
        if options.get("password"):
            names = [options["username"]] if options.get("username") else []
            greeting.append(("AUTH", *names, options["password"]))
        if options.get("db"):
            greeting.append(("SELECT", options["db"]))
        for command in greeting:
            self.ask(command, deadline)

    @property
    def is_fresh(self) -> bool:
        """Whether an idle stream is still open: anything to read on it is its end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def ask(self, command: Command, deadline: float) -> Any:
        """Send a command and give its reply; Refusal, or StoreUnavailable and then the stream is closed."""
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.sendall(hiredis.pack_command(tuple(command)))
            reply = self._receive(deadline)
        except (OSError, hiredis.ProtocolError) as error:
            self.close()
            reason = "did not answer by the deadline" if isinstance(error, TimeoutError) else f"broke off: {error}"
            raise StoreUnavailable(f"the stream's server at {self._name} {reason}") from error
        if isinstance(reply, hiredis.ReplyError):
            refusal = Refusal(str(reply))
            if refusal.word in _AWAY:
                self.close()
                raise StoreUnavailable(f"the stream's server at {self._name} refused: {refusal}") from refusal
            raise refusal
        return reply

    def close(self) -> None:
        """Close the stream; twice does no harm."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _dial(self, options: dict[str, Any], deadline: float) -> socket.socket:
        path, host = options.get("path"), options.get("host") or "127.0.0.1"
        try:
            if path:
                stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                stream.settimeout(_left(deadline))
                stream.connect(path)
                return stream
            stream = socket.create_connection((host, options.get("port") or _DEFAULT_PORT), _left(deadline))
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _wrap(stream, host, options) if "connection_class" in options else stream
        except OSError as error:
            raise StoreUnavailable(
                f"the stream's server at {self._name} cannot be reached: {error}; is it running?"
            ) from error

    def _receive(self, deadline: float) -> Any:
        reply = self._reader.gets()
        while reply is False:
            self._socket.settimeout(_left(deadline))
            data = self._socket.recv(_RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError("it closed the connection")
            self._reader.feed(data)
            reply = self._reader.gets()
        return reply


class LinkPool:
    """Links shared by the threads of one process; a child made by fork starts with none."""

    def __init__(self, url: str) -> None:
        try:
            parse_url(url)
        except ValueError as error:
            raise BadInput(f"HEADRACE_STREAM_URL is {redact(url)!r}: {error}") from None
        self._url = url
        self._pid = os.getpid()
        self._idle: list[RedisLink] = []
        self._lock = threading.Lock()

    def ask(self, command: Command, deadline: float) -> Any:
        """One exchange on a link of the pool; Refusal or StoreUnavailable."""
        link = self._take(deadline)
        try:
            reply = link.ask(command, deadline)
        except Refusal:
            self._give(link)
            raise
        except BaseException:
            link.close()
            raise
        self._give(link)
        return reply

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            links, self._idle = self._idle, []
        for link in links:
            link.close()

    def _take(self, deadline: float) -> RedisLink:
        while link := self._pop():
            if link.is_fresh:
                return link
            link.close()
        return RedisLink(self._url, deadline)

    def _pop(self) -> RedisLink | None:
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._idle = os.getpid(), []
            return self._idle.pop() if self._idle else None

    def _give(self, link: RedisLink) -> None:
        with self._lock:
            self._idle.append(link)


def redact(url: str) -> str:
    """A URL without its user and password."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def _wrap(stream: socket.socket, host: str, options: dict[str, Any]) -> socket.socket:
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(stream, server_hostname=host)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left

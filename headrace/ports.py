"""Ports are looked at before anything starts, and one in use is named with the setting that changes it."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from contracts.errors import BadInput

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Port:
    """A port that something of ours will listen on, and the setting that names it."""

    host: str
    number: int
    wanted_by: str
    setting: str


def refuse_taken(ports: Iterable[Port]) -> None:
    """Raise BadInput that names every port in use with its cure."""
    taken = [
        f"port {port.number} of {port.host}, wanted by {port.wanted_by}, is in use: "
        f"stop what listens there or set {port.setting}"
        for port in ports
        if not is_free(port.host, port.number)
    ]
    if taken:
        raise BadInput("; ".join(taken))


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(host: str, number: int) -> bool:
    """Whether a server could bind here now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError:
            return False
    return True


def split_bind(bind: str) -> tuple[str, int]:
    """Host and port of an address such as 127.0.0.1:8080 or [::1]:8080; BadInput when it has none."""
    try:
        parts = urlsplit(f"//{bind}")
        if parts.hostname and parts.port:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise BadInput(f"address {bind!r} is no host:port, such as 127.0.0.1:8080; set HEADRACE_BIND")

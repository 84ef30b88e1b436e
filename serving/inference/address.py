"""Where the inference service listens: a Unix socket under the root, or a TCP port by setting."""

import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from contracts.errors import BadInput
from contracts.settings import Settings

SOCKET_FILE = Path("run", "inference.sock")
LONGEST_PATH = 107  # bytes that the kernel has for the path of a Unix socket
EXAMPLES = "unix:///run/headrace.sock or tcp://127.0.0.1:9100"


@dataclass(frozen=True, slots=True)
class Address:
    """One listener; a `unix_path` goes before host and port."""

    unix_path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return self.unix_path or f"{self.host}:{self.port}"

    @property
    def family(self) -> int:
        """Family of its sockets."""
        if self.unix_path:
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def target(self) -> str | tuple[str, int]:
        """What connect() takes."""
        return self.unix_path or (self.host, self.port)


def metrics_bind(settings: Settings) -> tuple[str, int] | None:
    """Host and port of the page of metrics, None where there is none; BadInput for something else."""
    text = settings.inference_metrics
    try:
        parts = urlsplit(f"//{text}")
        if not text or (parts.hostname and parts.port):
            return (parts.hostname, parts.port) if parts.hostname and parts.port else None
    except ValueError:
        pass
    raise BadInput(f"setting HEADRACE_INFERENCE_METRICS is {text!r}; it takes host:port, such as 127.0.0.1:9109")


def inference_address(settings: Settings) -> Address:
    """Where the service of these settings listens; BadInput for a URL of another kind."""
    url = settings.inference_url or f"unix://{(settings.root / SOCKET_FILE).resolve()}"
    parts = urlsplit(url)
    if parts.scheme == "tcp" and parts.hostname and parts.port:
        return Address(host=parts.hostname, port=parts.port)
    path = unquote(parts.path)
    if parts.scheme != "unix" or not path or parts.netloc:
        raise BadInput(f"setting HEADRACE_INFERENCE_URL is {url!r}; it takes {EXAMPLES}")
    if len(path.encode()) > LONGEST_PATH:
        raise BadInput(f"the socket {path} is longer than {LONGEST_PATH} bytes; set HEADRACE_INFERENCE_URL: {EXAMPLES}")
    return Address(unix_path=path)

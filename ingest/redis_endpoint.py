"""Where a Redis server listens and how to be let in, read from one URL."""

import functools
import ssl
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, unquote, urlsplit

from contracts.errors import BadInput

SCHEMES = ("redis", "rediss", "unix")
OPTIONS = ("db", "ssl_ca_certs", "ssl_cert_reqs")
DEFAULT_PORT = 6379


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server. A `unix_path` goes before host and port; `tls_authorities` empty means the system's."""

    host: str = ""
    port: int = DEFAULT_PORT
    unix_path: str = ""
    username: str = ""
    password: str = ""
    database: int = 0
    tls: bool = False
    tls_authorities: str = ""
    tls_verified: bool = True

    def __str__(self) -> str:
        return self.unix_path or f"{self.host}:{self.port}"

    def at(self, host: str, port: int) -> "Endpoint":
        """The same way in at another node of a cluster."""
        return replace(self, host=host, port=port)


@functools.cache
def tls_context(authorities: str, verified: bool) -> ssl.SSLContext:
    """Client context, made once because reading the authorities takes longer than a look-up may."""
    context = ssl.create_default_context(cafile=authorities or None)
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def parse_endpoint(url: str) -> Endpoint:
    """Read redis://, rediss:// or unix://, as redis-py writes them; BadInput names what is wrong."""
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = sorted(set(options) - set(OPTIONS))
    if parts.scheme not in SCHEMES or unknown:
        found = f"option {unknown[0]!r}" if unknown else f"scheme {parts.scheme!r}"
        raise BadInput(f"redis_url has the {found}; schemes are {', '.join(SCHEMES)}, options are {', '.join(OPTIONS)}")
    is_unix = parts.scheme == "unix"
    return Endpoint(
        host="" if is_unix else parts.hostname or "127.0.0.1",
        port=parts.port or DEFAULT_PORT,
        unix_path=unquote(parts.path) if is_unix else "",
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=_database(options.get("db") or ("" if is_unix else parts.path.strip("/"))),
        tls=parts.scheme == "rediss",
        tls_authorities=options.get("ssl_ca_certs", ""),
        tls_verified=options.get("ssl_cert_reqs", "required") != "none",
    )


def _database(text: str) -> int:
    if text and not text.isdigit():
        raise BadInput(f"redis_url names the database {text!r}; it takes a number, such as redis://127.0.0.1:6379/0")
    return int(text or 0)

"""API keys: a file of digests, never of keys; read again when it changes, without a restart.

A key is `hr_<id>_<secret>` with 256 random bits, so one round of SHA-256 is enough at rest.
"""

import hashlib
import hmac
import json
import logging
import os
import secrets
import threading
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import BadInput, CorruptData, HeadraceError
from contracts.settings import Settings

logger = logging.getLogger(__name__)

READ, EVENTS_WRITE, ADMIN = "read", "events:write", "admin"
SCOPES = (READ, EVENTS_WRITE, ADMIN)
PREFIX, ID_BYTES, SECRET_BYTES = "hr", 4, 32
FILE_NAME = "api_keys.json"
MODE = 0o600
Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: who it is for, what it may do, and the digest of its text."""

    key_id: str
    name: str
    sha256: str
    scopes: tuple[str, ...]
    created_at: str

    def may(self, scope: str) -> bool:
        """Whether the key has that scope; admin has all."""
        return scope in self.scopes or ADMIN in self.scopes


def keys_file(settings: Settings) -> Path:
    """Where the keys of an installation are kept."""
    return Path(settings.api_keys_file) if settings.api_keys_file else settings.root / FILE_NAME


def create_key(file: Path, name: str, scopes: Collection[str]) -> tuple[str, ApiKey]:
    """Add a key to the file; its text, which is shown this once, and what is kept of it. BadInput."""
    strange = sorted(set(scopes) - set(SCOPES))
    if strange or not scopes:
        found = repr(strange[0]) if strange else "none"
        raise BadInput(f"the scope is {found}; a key takes one or more of {', '.join(SCOPES)}")
    if not name or not name.isprintable() or len(name) > 64:
        raise BadInput(f"the name is {name[:80]!r}; a key takes a name of 1 to 64 printable characters")
    kept = read_keys(file)
    if any(key.name == name for key in kept):
        raise BadInput(f"a key is already called {name!r}; choose another name, or revoke that one first")
    key_id = secrets.token_hex(ID_BYTES)
    text = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
    created_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    key = ApiKey(key_id, name, digest_of(text), tuple(scope for scope in SCOPES if scope in scopes), created_at)
    write_keys(file, [*kept, key])
    return text, key


def create_demo_keys(file: Path) -> tuple[str, str]:
    """A key that writes events and one for everything, replacing those of an earlier demo; their texts."""
    names = {"demo-web": (EVENTS_WRITE,), "demo-admin": (ADMIN,)}
    write_keys(file, [key for key in read_keys(file) if key.name not in names])
    web, admin = (create_key(file, name, scopes)[0] for name, scopes in names.items())
    return web, admin


def revoke_key(file: Path, name_or_id: str) -> ApiKey:
    """Take a key out of the file; BadInput lists the known ones."""
    kept = read_keys(file)
    for key in kept:
        if name_or_id in (key.name, key.key_id):
            write_keys(file, [other for other in kept if other is not key])
            return key
    raise BadInput(f"no key is called {name_or_id!r}; there is {', '.join(key.name for key in kept) or 'none'}")


def read_keys(file: Path) -> list[ApiKey]:
    """The keys of a file, none when it is absent; CorruptData when it is something else."""
    try:
        rows = json.loads(file.read_text())["keys"]
        return [ApiKey(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptData(f"{file} cannot be read as API keys ({error!r}); restore it, or move it away") from error


def write_keys(file: Path, keys: Sequence[ApiKey]) -> None:
    """Replace the file whole, readable by its owner alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE), "w") as stream:
        json.dump({"keys": [asdict(key) for key in keys]}, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)


def digest_of(text: str) -> str:
    """What is kept of a key's text."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


class KeyRing:
    """The keys of a file as of now; a file that is damaged leaves the keys known before."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._by_id: dict[str, ApiKey] = {}

    def find(self, text: str) -> ApiKey | None:
        """The key of that text, None when there is none; takes as long whatever the secret is."""
        self._follow()
        parts = text.split("_", 2)
        key = self._by_id.get(parts[1]) if len(parts) == 3 and parts[0] == PREFIX else None
        return key if key and hmac.compare_digest(key.sha256, digest_of(text)) else None

    def _follow(self) -> None:
        try:
            found = self._file.stat()
            stamp: Stamp | None = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            stamp = None
        if stamp == self._stamp:
            return
        with self._lock:
            try:
                self._by_id = {key.key_id: key for key in read_keys(self._file)}
            except HeadraceError as error:
                logger.error("api_keys_unread: %s", error)
            self._stamp = stamp

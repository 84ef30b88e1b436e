"""Commands that are sent many at a time, each about one key, and what a server may say to them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import hiredis

from ingest.redis_connection import REFUSED, RedisFailure, pack


@dataclass(frozen=True, slots=True)
class Script:
    """A script in Lua and the digest that a server knows it by."""

    text: bytes
    digest: bytes

    @classmethod
    def of(cls, text: str) -> "Script":
        """The script of that text."""
        return cls(text.encode(), hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode())


class Command(NamedTuple):  # made for each person of a batch, and a frozen dataclass takes four times as long to make
    """One command about keys of one slot. With a `script`, `parts` are the script's arguments."""

    keys: tuple[str, ...]
    parts: tuple[bytes, ...]
    script: Script | None = None

    def packed(self) -> bytes:
        """Bytes to send."""
        if self.script is None:
            return pack(*self.parts)
        return self._evaluate(b"EVALSHA", self.script.digest)

    def packed_whole(self) -> bytes:
        """Bytes to send to a server that may not know the script."""
        if self.script is None:
            return pack(*self.parts)
        return self._evaluate(b"EVAL", self.script.text)

    def _evaluate(self, how: bytes, script: bytes) -> bytes:
        keys = [key.encode("ascii") for key in self.keys]
        return pack(how, script, b"%d" % len(keys), *keys, *self.parts)


def on_key(name: bytes, key: str, *more: bytes) -> Command:
    """A plain command whose first argument is its key."""
    return Command((key,), (name, key.encode("ascii"), *more))


def is_unknown_script(reply: Any) -> bool:
    """Whether a server asks for the script's text."""
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT")


def is_redirection(reply: Any) -> bool:
    """Whether a node of a cluster names another."""
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith(("MOVED ", "ASK "))


def refuse_errors(replies: Sequence[Any], server: str) -> None:
    """Raise RedisFailure for the first reply that is an error."""
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            hint = "; it is a node of a cluster: set HEADRACE_REDIS_CLUSTER=true" if is_redirection(reply) else ""
            raise RedisFailure(REFUSED, f"Redis at {server} refused: {reply}{hint}")

"""Headers of an answer, and problems as RFC 9457 says them; the same from the fast path and from Flask."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from contracts.settings import Settings

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
PRIVATE, SHARED = "private, no-cache", "no-cache"  # Age is that of the list, so a max-age would be spent at once
SEQ_HEADER = "X-Headrace-Seq"
Headers = list[tuple[str, str]]


def answer_headers(length: int, age: int, cache: str, seq: str = "") -> Headers:
    """Headers of a 200 with a list in it; `age` in whole seconds, `seq` that of the person's overlay."""
    headers = [
        ("Content-Type", JSON_TYPE),
        ("Content-Length", str(length)),
        ("Age", str(age)),
        ("Cache-Control", cache),
    ]
    if seq:
        headers.append((SEQ_HEADER, seq))
    return headers


CORS_ALLOWED: Headers = [("Access-Control-Expose-Headers", SEQ_HEADER)]
CORS_PREFLIGHT: Headers = [
    ("Access-Control-Allow-Methods", "GET, POST, PUT"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Encoding, Content-Type, X-API-Key"),
    ("Access-Control-Max-Age", "600"),
]


@dataclass(frozen=True, slots=True)
class Cors:
    """Origins that browsers may call from; "*" among them is any."""

    origins: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> "Cors":
        """Read the setting's list by comma."""
        return cls(frozenset(filter(None, (origin.strip() for origin in settings.cors_origins.split(",")))))

    def headers(self, origin: str) -> Headers:
        """Headers for a request from `origin` ("" when it names none)."""
        if not self.origins:
            return []
        if "*" in self.origins:
            return [("Access-Control-Allow-Origin", "*"), *CORS_ALLOWED]
        allowed = [("Access-Control-Allow-Origin", origin), *CORS_ALLOWED] if origin in self.origins else []
        return [("Vary", "Origin"), *allowed]


def problem(status: int, name: str, detail: str) -> bytes:
    """A problem document; `name` is its place on the page of errors."""
    document = {
        "type": f"/docs#{name}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def allowed_methods(methods: Sequence[str] | None) -> str:
    """Value of the Allow header."""
    return ", ".join(sorted(methods or ()))

"""Who calls: the API key of a request, what it may do, and how much of it."""

import base64
import binascii

from flask import Request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, TooManyRequests, Unauthorized

from serving.api_keys import ApiKey, KeyRing
from serving.rate_limit import RateLimit

KEY_HEADER = "X-API-Key"
MAKE_ONE = "make one with: python -m headrace keys create --scope events:write --name web"


class Callers:
    """Checks keys and rates; safe to share between threads."""

    def __init__(self, ring: KeyRing, limit: RateLimit) -> None:
        self._ring = ring
        self._limit = limit

    def authorize(self, request: Request, scope: str, given: str = "") -> ApiKey:
        """The caller's key; 401 without a valid one, 403 when it may not. `given` stands in for absent headers."""
        text = key_text(request) or given
        key = self._ring.find(text) if text else None
        if key is None:
            detail = "this API key is not known; it may have been revoked" if text else f"no API key; {MAKE_ONE}"
            raise Unauthorized(detail, www_authenticate=WWWAuthenticate("bearer", {"realm": "headrace"}))
        if not key.may(scope):
            raise Forbidden(f"the API key {key.name!r} has the scope {', '.join(key.scopes)}; this needs {scope}")
        return key

    def charge(self, key: ApiKey, count: int) -> None:
        """Count what a key sends; 429 when it sends too much."""
        wait = self._limit.take(key.key_id, max(1, count))
        if wait:
            detail = f"the API key {key.name!r} sends more than HEADRACE_KEY_EVENTS_PER_SECOND allows; wait {wait} s"
            raise TooManyRequests(detail, retry_after=wait)


def key_text(request: Request) -> str:
    """The key in X-API-Key, as a bearer token, or as the user name of Basic; "" when there is none."""
    if text := request.headers.get(KEY_HEADER, "").strip():
        return text
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""

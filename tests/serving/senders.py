"""Somebody who sends events and then asks for lists, over a test client or over HTTP."""

import time
import uuid
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


@dataclass(frozen=True, slots=True)
class Keys:
    """The text of a key of each scope."""

    read: str
    write: str
    admin: str


@dataclass(frozen=True, slots=True)
class Sender:
    """A client with a key."""

    client: FlaskClient
    key: str

    def post(self, path: str, document: Any, **headers: str) -> TestResponse:
        """Post JSON."""
        return self.client.post(path, json=document, headers={"X-API-Key": self.key, **headers})

    def post_bytes(
        self, path: str, body: bytes, content_type: str = "application/json", **headers: str
    ) -> TestResponse:
        """Post a body as it is; names of headers with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, data=body, content_type=content_type, headers={"X-API-Key": self.key, **named})

    def items(self, person: str = "ada", query: str = "") -> list[str]:
        """Items of the person's next list."""
        answer = self.client.get(f"/v1/recommendations/{person}{query}").get_json()
        return [row["item_id"] for row in answer["items"]]


def event(event_type: str = "view", item_id: str | None = "apple", user_id: str = "ada", **more: Any) -> dict[str, Any]:
    """An event that happened now."""
    named = {"event_id": str(uuid.uuid4()), "event_type": event_type, "user_id": user_id, "occurred_at": time.time()}
    return {**named, **({"item_id": item_id} if item_id else {}), **more}

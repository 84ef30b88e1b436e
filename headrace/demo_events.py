"""Events in the demo: the stream's own server, the archiver, API keys, and a purchase that anybody can post."""

import json
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from contracts.event_contract import PURCHASE
from contracts.intervals import format_instant
from contracts.settings import Settings
from headrace.processes import ProcessSet
from headrace.revived_redis import RevivedRedis
from headrace.stream_server import SERVER_OPTIONS

STREAM_SETTING = "HEADRACE_STREAM_URL"


def stream_server(settings: Settings, port: int, say: Callable[[str], None]) -> RevivedRedis:
    """The server of the stream, to be started; what it has acknowledged survives its own death."""
    revived = "the stream's server had ended and was started again, with all that it had acknowledged"
    return RevivedRedis("stream", settings.root / "stream", port, lambda: say(revived), SERVER_OPTIONS)


def start_archiver(processes: ProcessSet) -> None:
    """Bring what is posted from the stream into the lake from here on."""
    processes.start("archive", [sys.executable, "-m", "headrace", "archive"])


def make_keys(settings: Settings) -> tuple[str, str]:
    """A key that may only write events, and one for everything; those of an earlier demo end."""
    from serving.api_keys import create_demo_keys, keys_file

    return create_demo_keys(keys_file(settings))


def purchase_command(url: str, key: str, user_id: str, item_id: str) -> str:
    """A curl line that posts a purchase; posted again, it is the same purchase."""
    event = {
        "event_id": str(uuid4()),
        "event_type": PURCHASE,
        "user_id": user_id,
        "item_id": item_id,
        "occurred_at": format_instant(datetime.now(UTC)),
        "quantity": 1,
    }
    headers = ("Content-Type: application/json", f"Authorization: Bearer {key}")
    flags = " ".join(f"-H {shlex.quote(header)}" for header in headers)
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"curl -s -X POST {flags} -d {shlex.quote(body)} {shlex.quote(f'{url}/v1/events')}"

"""Keys and values in Redis; `docs/redis-layout.md` is the public page of this contract.

Keys come only from these builders. Whatever one look-up reads of one user shares a hash tag, so that
it is one slot of a Redis Cluster and one round trip.
"""

import json
import re
from dataclasses import asdict, dataclass
from urllib.parse import quote

from contracts.errors import CorruptData

PREFIX = "headrace"
POINTER = f"{PREFIX}:{{pointer}}"
FENCE = f"{PREFIX}:{{pointer}}:fence"  # the latest claim of a writer: whoever claimed before it may not flip
DELISTED = f"{PREFIX}:{{delisted}}"  # a set of the items that no answer may show
DELISTED_MARK = f"{PREFIX}:{{delisted}}:gen"  # another value after each change of the set
TRENDING_BUCKET_SECONDS, TRENDING_HOUR_SECONDS = 300, 3_600
SAFE = "-._~!$'()*+,;=@/ "  # everything else is percent-encoded: braces above all, they would move the slot
_is_safe = re.compile(f"[A-Za-z0-9{re.escape(SAFE)}]*").fullmatch


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which version serves. `fence` only grows; `interval` is the hour whose lists these are."""

    version: str
    fence: int
    interval: str
    generated_at: str
    previous: str = ""
    previous_interval: str = ""
    previous_generated_at: str = ""

    def encode(self) -> bytes:
        """Value of the POINTER key: JSON, so that Lua's cjson reads it too."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def decode(cls, raw: bytes) -> "Pointer":
        """Read the value of the POINTER key; CorruptData when it is something else."""
        try:
            return cls(**json.loads(raw))
        except (ValueError, TypeError) as error:
            raise CorruptData(f"{POINTER} holds {raw[:80]!r}, no pointer; republish the hour") from error


def version_name(interval_key: str, fence: int) -> str:
    """Name a version by its hour and the fence of the publisher that wrote it."""
    return f"{interval_key}.{fence}"


def list_key(version: str, user_id: str) -> str:
    """The stored answer of a head user."""
    return f"{PREFIX}:list:{version}:{{{escape(user_id)}}}"


def profile_key(version: str, user_id: str) -> str:
    """What is known of any known user: JSON with `segment` and `region`."""
    return f"{PREFIX}:profile:{version}:{{{escape(user_id)}}}"


def overlay_key(user_id: str) -> str:
    """What happened since the hour (contracts.overlay); absent for almost everybody."""
    return f"{PREFIX}:overlay:{{{escape(user_id)}}}"


def person_keys(version: str, user_id: str) -> tuple[str, str, str]:
    """List, overlay and profile key of one person, for one round trip."""
    tag = escape(user_id)
    return (
        f"{PREFIX}:list:{version}:{{{tag}}}",
        f"{PREFIX}:overlay:{{{tag}}}",
        f"{PREFIX}:profile:{version}:{{{tag}}}",
    )


def popular_key(version: str, scope: str, key: str) -> str:
    """A popular list; `key` is empty for the scopes overall and trending."""
    return f"{PREFIX}:popular:{version}:{scope}:{escape(key)}"


def similar_key(version: str, item_id: str) -> str:
    """Items similar to a popular item."""
    return f"{PREFIX}:similar:{version}:{{{escape(item_id)}}}"


def trending_keys(now: float) -> tuple[str, str, str]:
    """What is counted at an instant (epoch seconds): scores of five minutes, an hour's people by item, its pairs."""
    hour = int(now) // TRENDING_HOUR_SECONDS
    return (
        trending_scores_key(int(now) // TRENDING_BUCKET_SECONDS),
        trending_people_key(hour),
        f"{PREFIX}:{{trending}}:pairs:{hour}",
    )


def trending_scores_key(bucket: int) -> str:
    """Sorted set of item and score; `bucket` counts TRENDING_BUCKET_SECONDS since 1970."""
    return f"{PREFIX}:{{trending}}:scores:{bucket}"


def trending_people_key(hour: int) -> str:
    """Hash of item and how many people touched it in that hour since 1970."""
    return f"{PREFIX}:{{trending}}:people:{hour}"


def escape(external_id: str) -> str:
    """Percent-encode what must not stand inside a key; injective."""
    return external_id if _is_safe(external_id) else quote(external_id, safe=SAFE)

"""A served answer with the features that it came from, as a line of JSON that workers write and a comparison reads."""

import base64
from dataclasses import asdict, dataclass

import orjson

from contracts.errors import CorruptData
from contracts.features import FEATURE_ORDER
from contracts.manifest import digest_of

ORDER_DIGEST = digest_of(*FEATURE_ORDER)
FEATURE_LOG_FOLDER = "features"


@dataclass(frozen=True, slots=True)
class FeatureRecord:
    """What was asked, as of when (epoch seconds), and rows of what was computed.

    `events` are type, item, epoch seconds and value, oldest first; `known` says whether there was a profile;
    `excluded` are items of the bundle; `items` and `filter` as asked. `count` candidates were wanted and
    `candidates_digest` is of the ids that were found; `item_ids` are some of them, and `features` are theirs in
    FEATURE_ORDER: base64 of little-endian float32, row after row.
    """

    interval: str
    as_of_at: int
    user_id: str
    known: bool
    forgotten_ms: int
    events: list[tuple[str, str, int, float | None]]
    excluded: list[str]
    items: list[str] | None
    filter: str
    count: int
    candidates_digest: str
    item_ids: list[str]
    features: str
    order_digest: str = ORDER_DIGEST

    def encode(self) -> bytes:
        """One line, with its end."""
        return orjson.dumps(asdict(self), option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def decode(cls, line: bytes) -> "FeatureRecord":
        """Read a line; CorruptData when it is something else, such as one that was cut short."""
        try:
            return cls(**orjson.loads(line))
        except (ValueError, TypeError) as error:
            raise CorruptData(f"{line[:80]!r} is no served answer ({error})") from error

    @property
    def feature_bytes(self) -> bytes:
        """The features as they lie in memory; CorruptData when they are not of these items."""
        raw = base64.b64decode(self.features)
        if len(raw) != 4 * len(FEATURE_ORDER) * len(self.item_ids):
            raise CorruptData(f"{len(raw)} bytes of features came for {len(self.item_ids)} items")
        return raw

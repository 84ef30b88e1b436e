"""Items, people and requests to be forgotten, as the stream carries them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.lake import AVAILABLE
from contracts.payloads import decode_payload, encode_payload
from contracts.records import ITEM, TOMBSTONE, USER, Record

# What `attributes` says of an item that must not be shown.
NOT_AVAILABLE = "false"


@dataclass(frozen=True, slots=True)
class Item:
    """The latest known of an item; `updated_at` is microseconds since 1970 by the server's clock."""

    item_id: str
    category: str = ""
    price: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    updated_at: int = 0
    source: str = ""

    @property
    def available(self) -> bool:
        """Whether the item may be shown."""
        return self.attributes.get(AVAILABLE) != NOT_AVAILABLE


@dataclass(frozen=True, slots=True)
class User:
    """The latest known of a person; `updated_at` is microseconds since 1970 by the server's clock."""

    user_id: str
    region: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    updated_at: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A person whose past counts no more; `forgotten_at` is microseconds since 1970 by the server's clock."""

    user_id: str
    forgotten_at: int
    source: str = ""


def record_of_item(item: Item) -> Record:
    """The record of an item; of several, the last one counts."""
    values = {
        "item_id": item.item_id,
        "category": item.category,
        "price": item.price,
        "attributes": item.attributes,
        "updated_at": item.updated_at,
        "source": item.source,
    }
    return Record(ITEM, item.item_id, encode_payload(ITEM, values))


def record_of_user(user: User) -> Record:
    """The record of a person; of several, the last one counts."""
    values = {
        "user_id": user.user_id,
        "region": user.region,
        "attributes": user.attributes,
        "updated_at": user.updated_at,
        "source": user.source,
    }
    return Record(USER, user.user_id, encode_payload(USER, values))


def record_of_tombstone(tombstone: Tombstone) -> Record:
    """The record of a request to be forgotten."""
    values = {"user_id": tombstone.user_id, "forgotten_at": tombstone.forgotten_at, "source": tombstone.source}
    return Record(TOMBSTONE, tombstone.user_id, encode_payload(TOMBSTONE, values))


def decode_item(payload: bytes) -> Item:
    """The item of a payload; CorruptData when it is none."""
    return Item(**decode_payload(ITEM, payload))


def decode_user(payload: bytes) -> User:
    """The person of a payload; CorruptData when it is none."""
    return User(**decode_payload(USER, payload))


def decode_tombstone(payload: bytes) -> Tombstone:
    """The request of a payload; CorruptData when it is none."""
    return Tombstone(**decode_payload(TOMBSTONE, payload))

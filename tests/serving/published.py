"""A version published by hand: lists, profiles and popular lists written straight into a Redis server."""

import json
from dataclasses import dataclass
from typing import Any

import redis

from contracts.answers import SOURCE_HEAD, SOURCE_POPULAR, SOURCE_SIMILAR, AnswerHead, encode_answer
from contracts.lake import BY_CATEGORY, BY_REGION, BY_SEGMENT, OVERALL
from contracts.redis_layout import POINTER, Pointer, list_key, popular_key, profile_key, similar_key

GENERATED_AT = "2026-01-31T08:00:00Z"
INTERVAL = "2026-01-31T07"
ITEMS = ("apple", "bread", "cheese", "dill", "eggs")
REGIONS, CATEGORIES, SEGMENTS = ("north", "südwest"), ("dairy",), ("regulars",)
HEAD_USERS = ("ada", "josé", "a{b}c", "tilde~ user+1", "x" * 256)
PROFILES = {"known": ("regulars", "north"), "regional": ("", "südwest"), "ada": ("regulars", "north")}


@dataclass(frozen=True, slots=True)
class Version:
    """A fence and what tells its lists from those of others: the items, turned by `turn`."""

    fence: int = 1
    turn: int = 0

    @property
    def name(self) -> str:
        return f"{INTERVAL}.{self.fence}"

    def answer(self, subject: str, source: str) -> bytes:
        head = AnswerHead(subject, source, f"the stored reason of {source}", self.name, GENERATED_AT)
        items = ITEMS[self.turn :] + ITEMS[: self.turn]
        return encode_answer(head, items, [1 / (rank + 1) for rank in range(len(items))])

    def values(self) -> dict[str, bytes]:
        """Every key of the version but the pointer."""
        values = {list_key(self.name, user): self.answer(user, SOURCE_HEAD) for user in HEAD_USERS}
        for user, (segment, region) in PROFILES.items():
            values[profile_key(self.name, user)] = json.dumps({"segment": segment, "region": region}).encode()
        scopes = [(OVERALL, ""), *((BY_REGION, region) for region in REGIONS)]
        scopes += [*((BY_CATEGORY, name) for name in CATEGORIES), *((BY_SEGMENT, name) for name in SEGMENTS)]
        for scope, key in scopes:
            values[popular_key(self.name, scope, key)] = self.answer(f"{scope}/{key}".rstrip("/"), SOURCE_POPULAR)
        values[similar_key(self.name, "apple")] = self.answer("apple", SOURCE_SIMILAR)
        return values

    @property
    def pointer(self) -> bytes:
        return Pointer(self.name, self.fence, INTERVAL, GENERATED_AT).encode()


def publish(client: "redis.Redis[Any] | redis.Redis", version: Version = Version()) -> Version:
    """Write a whole version and flip the pointer to it."""
    for key, value in version.values().items():
        client.set(key, value)
    client.set(POINTER, version.pointer)
    return version

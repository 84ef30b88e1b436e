"""What an answer must leave out: what the person bought or dismissed since, and what may be shown to nobody."""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.errors import CorruptData
from contracts.overlay import Overlay, decode_overlay

logger = logging.getLogger(__name__)

GONE_REASON = "items bought or dismissed since are left out"
DELISTED_REASON = "items no longer available are left out"
EXCLUDED_REASON = "items that the request excludes are left out"
EMPTY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Items gone for this person, items gone for everybody, items that the request does not want."""

    gone: frozenset[str] = EMPTY
    delisted: frozenset[str] = EMPTY
    excluded: frozenset[str] = EMPTY

    def among(self, item_ids: Iterable[str]) -> frozenset[str]:
        """Those of the items that must not be shown."""
        if not (self.gone or self.delisted or self.excluded):
            return EMPTY
        ids = frozenset(item_ids)
        return (ids & self.gone) | (ids & self.delisted) | (ids & self.excluded)

    def explain(self, reason: str, dropped: frozenset[str]) -> str:
        """The reason of an answer from which these were dropped."""
        parts = [reason]
        if not dropped.isdisjoint(self.gone):
            parts.append(GONE_REASON)
        if not (dropped - self.gone).isdisjoint(self.delisted):
            parts.append(DELISTED_REASON)
        if not dropped <= self.gone | self.delisted:
            parts.append(EXCLUDED_REASON)
        return "; ".join(parts)


def read_overlay(raw: bytes | None) -> Overlay | None:
    """The overlay, None when there is none or it cannot be read, which is logged."""
    if raw is None:
        return None
    try:
        return decode_overlay(raw)
    except CorruptData as error:
        logger.error("overlay_corrupt: %s", error)
        return None


def now_ms() -> int:
    """Milliseconds since 1970, the unit of overlays."""
    return int(time.time() * 1_000)

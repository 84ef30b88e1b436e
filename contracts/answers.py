"""The bytes of an answer, built the same way by the publisher and by serving."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

SOURCE_HEAD, SOURCE_POPULAR, SOURCE_SIMILAR, SOURCE_FALLBACK = "head", "popular", "similar", "fallback"
SOURCE_TRENDING, SOURCE_ON_DEMAND = "trending", "on_demand"


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Everything of an answer but its items.

    `subject` is whom or what the list is for (a user id, an item id, "overall", "region/north").
    """

    subject: str
    source: str
    reason: str
    version: str
    generated_at: str


def encode_answer(head: AnswerHead, item_ids: Sequence[str], scores: Sequence[float]) -> bytes:
    """Encode one answer as JSON bytes; scores keep six significant digits."""
    items = [{"item_id": item, "score": float(f"{score:.6g}")} for item, score in zip(item_ids, scores, strict=True)]
    body = {
        "items": items,
        "source": head.source,
        "reason": head.reason,
        "version": head.version,
        "generated_at": head.generated_at,
        "recommendation_id": recommendation_id(head.version, named_subject(head.source, head.subject)),
        "subject": head.subject,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def named_subject(source: str, subject: str) -> str:
    """What names a list of that source within its version: what was computed on demand is not the stored list."""
    return f"{SOURCE_ON_DEMAND}/{subject}" if source == SOURCE_ON_DEMAND else subject


def recommendation_id(version: str, subject: str) -> str:
    """Name a list within its version, so that an impression can be joined to it."""
    return f"{version}.{hashlib.blake2b(subject.encode(), digest_size=8).hexdigest()}"

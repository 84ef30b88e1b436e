"""An answer as it was stored, and the same answer retold: shorter, or with another reason."""

import functools
import json
from dataclasses import dataclass, replace

from contracts.answers import AnswerHead, encode_answer
from contracts.errors import CorruptData, HeadraceError
from contracts.intervals import parse_instant


@dataclass(frozen=True, slots=True, eq=False)
class StoredAnswer:
    """Bytes of contracts.answers and what they say; equal only to itself. `generated_epoch` is in seconds."""

    raw: bytes
    head: AnswerHead
    item_ids: tuple[str, ...]
    scores: tuple[float, ...]
    generated_epoch: float

    @classmethod
    def parse(cls, raw: bytes) -> "StoredAnswer":
        """Read stored bytes; CorruptData when they are no answer."""
        try:
            body = json.loads(raw)
            head = AnswerHead(*(str(body[name]) for name in AnswerHead.__slots__))
            item_ids = tuple(str(item["item_id"]) for item in body["items"])
            scores = tuple(float(item["score"]) for item in body["items"])
            return cls(raw, head, item_ids, scores, parse_instant(head.generated_at).timestamp())
        except (ValueError, KeyError, TypeError, HeadraceError) as error:
            raise CorruptData(f"stored list {raw[:60]!r} is no answer ({error!r}); publish the hour again") from error


def tell(answer: StoredAnswer, source: str, reason: str, limit: int, without: frozenset[str]) -> bytes:
    """The answer's bytes with this source and reason, without some items, cut to `limit` (0 keeps all)."""
    head = replace(answer.head, source=source, reason=reason)
    kept = [pair for pair in zip(answer.item_ids, answer.scores, strict=True) if pair[0] not in without]
    kept = kept[: limit or len(kept)]
    return encode_answer(head, [item for item, _ in kept], [score for _, score in kept])


@functools.lru_cache(maxsize=512)
def retell(answer: StoredAnswer, source: str, reason: str, limit: int) -> bytes:
    """The answer's bytes with this source and reason, cut to `limit` items; the same for everybody, so kept."""
    return tell(answer, source, reason, limit, frozenset())


def cut(raw: bytes, limit: int) -> bytes:
    """Stored bytes cut to `limit` items; the very same bytes when nothing is cut."""
    if not limit:
        return raw
    answer = StoredAnswer.parse(raw)
    if len(answer.item_ids) <= limit:
        return raw
    return encode_answer(answer.head, answer.item_ids[:limit], answer.scores[:limit])


def age_seconds(generated_epoch: float, now: float) -> int:
    """Whole seconds since an instant; a clock that runs behind gives 0."""
    return max(0, int(now - generated_epoch))

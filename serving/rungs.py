"""What an answer is made of on each rung: the person's own bytes, or a list that is nobody's own, told anew."""

from dataclasses import dataclass, replace

from contracts.answers import SOURCE_FALLBACK, SOURCE_POPULAR, encode_answer
from serving.left_out import LeftOut
from serving.popular_shelf import Name
from serving.stored_answer import StoredAnswer, cut, retell, tell

NOT_FILTERED = "stored lists cannot be filtered, so nothing is shown"
Timings = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out: bytes, where they came from, since when (epoch seconds), and stages in ms."""

    body: bytes
    source: str
    generated_epoch: float
    timings: Timings = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A list that is nobody's own, in this process already, and in words what it is.

    `trouble` says why no better one could be read; it is empty when this is the one that was wanted.
    """

    found: StoredAnswer
    what: str
    name: Name
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """Why a list that is nobody's own answers, how long it may be, what it must not show."""

    why: str
    limit: int
    left_out: LeftOut
    source: str = SOURCE_POPULAR
    is_filtered: bool = False


def own_list(raw: bytes, limit: int, left_out: LeftOut, note: str = "") -> bytes | None:
    """A stored answer less what must not be shown, filled up from its own rest; None when nothing is left.

    `note` is added to its reason. CorruptData.
    """
    if not (note or left_out.gone or left_out.delisted or left_out.excluded):
        return cut(raw, limit)
    stored = StoredAnswer.parse(raw)
    dropped = left_out.among(stored.item_ids)
    if not dropped and not note:
        return cut(raw, limit)
    if len(dropped) == len(set(stored.item_ids)):
        return None
    reason = f"{stored.head.reason}; {note}" if note else stored.head.reason
    return tell(stored, stored.head.source, left_out.explain(reason, dropped), limit, dropped)


def told(choice: Choice, terms: Terms) -> Answer:
    """The list with the source and reason that are true of it here."""
    found, source = choice.found, SOURCE_FALLBACK if choice.trouble else terms.source
    reason = "; ".join(filter(None, (choice.trouble, terms.why, choice.what)))
    dropped = terms.left_out.among(found.item_ids)
    if terms.is_filtered:
        body = encode_answer(replace(found.head, source=source, reason=f"{reason}; {NOT_FILTERED}"), (), ())
    elif dropped:
        body = tell(found, source, terms.left_out.explain(reason, dropped), terms.limit, dropped)
    else:
        body = retell(found, source, reason, terms.limit)
    return Answer(body, source, found.generated_epoch)


def shows_any(found: StoredAnswer, left_out: LeftOut) -> bool:
    """Whether something of the list may be shown."""
    return len(left_out.among(found.item_ids)) < len(set(found.item_ids))

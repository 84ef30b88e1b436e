"""What a request asks for, checked once at the edge and then frozen."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.errors import BadInput
from contracts.lake import BY_CATEGORY, BY_REGION
from contracts.overlay import SessionEvent
from contracts.user_state import MAX_ID_BYTES
from serving.placements import MAX_LIMIT, Placement, Placements
from serving.popular_shelf import OVERALL_NAME, TRENDING_NAME, Name

LIMIT, PLACEMENT, REGION_PARAMETER, CATEGORY_PARAMETER = "limit", "placement", "region", "category"
DEVICE_PARAMETER, DEBUG, TIMINGS = "device", "debug", "timings"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"  # what stands for bytes that were no UTF-8


@dataclass(frozen=True, slots=True)
class PersonAsk:
    """Recommendations for a person at a place; `limit` 0 is the whole list, a text "" is not given.

    `events`, oldest first, are what the request itself tells of the session; `filter` is canonical JSON.
    """

    user_id: str
    placement: Placement
    limit: int = 0
    region: str = ""
    device: str = ""
    events: tuple[SessionEvent, ...] = ()
    excluded: frozenset[str] = frozenset()
    filter: str = ""


@dataclass(frozen=True, slots=True)
class RankAsk:
    """A list to be put into the best order for a person; each item once."""

    person: PersonAsk
    item_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SimilarAsk:
    """Items similar to one."""

    item_id: str
    limit: int


@dataclass(frozen=True, slots=True)
class ListAsk:
    """A popular list by scope and key."""

    name: Name
    limit: int


def ask_for_person(user_id: str, query: Mapping[str, str], placements: Placements) -> PersonAsk:
    """Check a request for recommendations; BadInput."""
    name = query.get(PLACEMENT)
    placement = placements.default if name is None else placements.named(name)
    limit = _limit(query) or placement.limit
    person = external_id("user_id", user_id)
    return PersonAsk(person, placement, limit, _text(REGION_PARAMETER, query), _text(DEVICE_PARAMETER, query))


def wants_timings(query: Mapping[str, str]) -> bool:
    """Whether the answer is to say where its time went; BadInput for another word."""
    word = query.get(DEBUG)
    if word not in (None, TIMINGS):
        raise BadInput(f"debug is {word[:40]!r}; it takes {TIMINGS}")
    return word is not None


def ask_for_similar(item_id: str, query: Mapping[str, str]) -> SimilarAsk:
    """Check a request for similar items; BadInput."""
    return SimilarAsk(external_id("item_id", item_id), _limit(query))


def ask_for_popular(query: Mapping[str, str]) -> ListAsk:
    """Check a request for a popular list; BadInput, also when both region and category are given."""
    region, category = _text(REGION_PARAMETER, query), query.get(CATEGORY_PARAMETER, "")
    if region and category:
        raise BadInput("region and category were both given; lists exist by one of them, so ask for one")
    if region:
        return ListAsk((BY_REGION, region), _limit(query))
    if category:
        return ListAsk((BY_CATEGORY, external_id(CATEGORY_PARAMETER, category, may_slash=True)), _limit(query))
    return ListAsk(OVERALL_NAME, _limit(query))


def ask_for_trending(query: Mapping[str, str]) -> ListAsk:
    """Check a request for what trends; BadInput."""
    return ListAsk(TRENDING_NAME, _limit(query))


def external_id(what: str, text: str, *, may_slash: bool = False) -> str:
    """An id as it was given; BadInput when it cannot be one."""
    size = len(text.encode(errors="surrogatepass"))
    if not text or size > MAX_ID_BYTES:
        raise BadInput(f"{what} has {size} bytes; it takes 1 to {MAX_ID_BYTES}")
    if REPLACEMENT in text:
        raise BadInput(f"{what} is not UTF-8; percent-encode the bytes of its UTF-8 form")
    if "/" in text and not may_slash:
        raise BadInput(f"{what} is {text[:80]!r}; ids in a path hold no slash, not even as %2F")
    return text


def _text(name: str, query: Mapping[str, str]) -> str:
    text = query.get(name, "")
    return external_id(name, text, may_slash=True) if text else ""


def _limit(query: Mapping[str, str]) -> int:
    text = query.get(LIMIT)
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT)) and 1 <= int(text) <= MAX_LIMIT):
        raise BadInput(f"limit is {text[:40]!r}; it takes a whole number from 1 to {MAX_LIMIT}")
    return int(text)

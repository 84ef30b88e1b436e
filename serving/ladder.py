"""Which list answers: the person's own, popular near them, popular overall, the last one known; never none of them."""

import json
import logging
from dataclasses import dataclass

from contracts.answers import SOURCE_FALLBACK, SOURCE_HEAD, SOURCE_POPULAR, SOURCE_SIMILAR, SOURCE_TRENDING
from contracts.errors import CorruptData, HeadraceError, MissingInput
from contracts.lake import BY_CATEGORY, BY_REGION, BY_SEGMENT, REGION, SEGMENT, TRENDING
from contracts.redis_layout import similar_key
from serving.asks import ListAsk, PersonAsk, SimilarAsk
from serving.left_out import EMPTY, LeftOut, now_ms, read_overlay
from serving.list_store import UNPUBLISHED, ListStore, PersonRecord, Pin, trouble_of
from serving.placements import LIST
from serving.popular_shelf import OVERALL_NAME, Name, PopularShelf
from serving.stored_answer import StoredAnswer, cut, retell, tell
from serving.trending_shelf import TrendingShelf

logger = logging.getLogger(__name__)

NO_OWN_LIST = "no list of their own is stored for this person"
NOT_OWN_HERE = "this place does not use a person's own list"
NO_SIMILAR = "no similar items are stored for this item"
NO_SUCH_LIST = "no list is stored for what was asked"
NOTHING_TRENDS = "nothing trends at this moment"
ASKED_FOR = "as asked"
WHAT = {
    BY_SEGMENT: "popular in the segment",
    BY_REGION: "popular in the region",
    BY_CATEGORY: "popular in the category",
    TRENDING: "trending by the last hour",
}
WHAT_OVERALL = "popular overall"
WHAT_LAST_KNOWN = "the last popular list that this server knows"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out: bytes, where they came from, since when (epoch seconds)."""

    body: bytes
    source: str
    generated_epoch: float


class Ladder:
    """Rungs in a stated order; each answer names the rung it came from."""

    def __init__(self, store: ListStore, shelf: PopularShelf, trends: TrendingShelf) -> None:
        self._store = store
        self._shelf = shelf
        self._trends = trends

    def recommend(self, ask: PersonAsk, record: PersonRecord, deadline: float) -> Answer:
        """Own list, segment, region, overall, last known; MissingInput when nothing was ever known."""
        pin, placement = record.pin, ask.placement
        overlay = read_overlay(record.overlay)
        gone = overlay.gone_at(now_ms()) if overlay else EMPTY
        left_out = LeftOut(gone, record.delisted.items)
        if pin is None or record.trouble:
            return self._last_known(record.trouble or UNPUBLISHED, _by_region(ask.region), ask.limit, left_out)
        if overlay and pin.generated_epoch * 1_000 <= overlay.forgotten_ms:
            record = record._replace(stored=None, profile=None)
        may_be_own = SOURCE_HEAD in placement.sources and LIST in placement.fields
        if may_be_own and record.stored is not None:
            try:
                body = _own(record.stored, ask.limit, left_out)
                if body is not None:
                    return Answer(body, SOURCE_HEAD, pin.generated_epoch)
            except CorruptData as error:
                logger.error("list_corrupt version=%s: %s", pin.version, error)
        why = NO_OWN_LIST if may_be_own else NOT_OWN_HERE
        return self._popular(pin, _names_for(ask, record), Terms(why, ask.limit, left_out), deadline)

    def similar(self, ask: SimilarAsk, deadline: float) -> Answer:
        """Similar items, popular overall, last known; MissingInput when nothing was ever known."""
        record = self._store.nobody(deadline)
        left_out = LeftOut(delisted=record.delisted.items)
        if record.pin is None:
            return self._last_known(record.trouble, OVERALL_NAME, ask.limit, left_out)
        try:
            raw = self._store.values([similar_key(record.pin.version, ask.item_id)], deadline)[0]
            body = None if raw is None else _own(raw, ask.limit, left_out)
            if body is not None:
                return Answer(body, SOURCE_SIMILAR, record.pin.generated_epoch)
        except HeadraceError as error:
            return self._last_known(trouble_of(error), OVERALL_NAME, ask.limit, left_out)
        return self._popular(record.pin, (OVERALL_NAME,), Terms(NO_SIMILAR, ask.limit, left_out), deadline)

    def popular(self, ask: ListAsk, deadline: float) -> Answer:
        """The list asked for, popular overall, last known; MissingInput when nothing was ever known."""
        record = self._store.nobody(deadline)
        left_out = LeftOut(delisted=record.delisted.items)
        if record.pin is None:
            return self._last_known(record.trouble, ask.name, ask.limit, left_out)
        names = (ask.name,) if ask.name == OVERALL_NAME else (ask.name, OVERALL_NAME)
        return self._popular(record.pin, names, Terms(ASKED_FOR, ask.limit, left_out), deadline)

    def trending(self, ask: ListAsk, deadline: float) -> Answer:
        """What trends now, what trended by the last hour, popular overall, last known; MissingInput."""
        record = self._store.nobody(deadline)
        left_out = LeftOut(delisted=record.delisted.items)
        if record.pin is None:
            return self._last_known(record.trouble, ask.name, ask.limit, left_out)
        terms = Terms("", ask.limit, left_out)
        try:
            found = self._trends.now(record.pin, deadline)
        except HeadraceError as error:
            return self._last_known(trouble_of(error), ask.name, ask.limit, left_out)
        if found is not None:
            answer, has_items = _told(found, SOURCE_TRENDING, found.head.reason, terms)
            if has_items:
                return answer
        terms = Terms(NOTHING_TRENDS, ask.limit, left_out)
        return self._popular(record.pin, (ask.name, OVERALL_NAME), terms, deadline)

    def _popular(self, pin: Pin, names: tuple[Name, ...], terms: "Terms", deadline: float) -> Answer:
        emptied = None
        try:
            for name in names:
                found = self._shelf.find(pin, name, deadline)
                if found is not None:
                    is_other = terms.why == ASKED_FOR and name != names[0]
                    reason = f"{NO_SUCH_LIST if is_other else terms.why}; {WHAT.get(name[0], WHAT_OVERALL)}"
                    answer, has_items = _told(found, SOURCE_POPULAR, reason, terms)
                    if has_items:
                        return answer
                    emptied = answer
        except HeadraceError as error:
            return self._last_known(trouble_of(error), names[0], terms.limit, terms.left_out)
        return emptied or self._last_known(UNPUBLISHED, names[0], terms.limit, terms.left_out)

    def _last_known(self, trouble: str, name: Name, limit: int, left_out: LeftOut) -> Answer:
        found = self._shelf.last_known(name)
        if found is None:
            raise MissingInput(f"{trouble}, and this server knows no earlier list; publish an hour, or start Redis")
        return _told(found, SOURCE_FALLBACK, f"{trouble}; {WHAT_LAST_KNOWN}", Terms("", limit, left_out))[0]


@dataclass(frozen=True, slots=True)
class Terms:
    """Why a list that is nobody's own answers, how long it may be, what it must not show."""

    why: str
    limit: int
    left_out: LeftOut


def _own(raw: bytes, limit: int, left_out: LeftOut) -> bytes | None:
    """A stored answer less what must not be shown, filled up from its own rest; None when nothing is left."""
    if not left_out.gone and not left_out.delisted:
        return cut(raw, limit)
    stored = StoredAnswer.parse(raw)
    dropped = left_out.among(stored.item_ids)
    if not dropped:
        return cut(raw, limit)
    if len(dropped) == len(set(stored.item_ids)):
        return None
    return tell(stored, stored.head.source, left_out.explain(stored.head.reason, dropped), limit, dropped)


def _told(found: StoredAnswer, source: str, reason: str, terms: Terms) -> tuple[Answer, bool]:
    dropped = terms.left_out.among(found.item_ids)
    if dropped:
        body = tell(found, source, terms.left_out.explain(reason, dropped), terms.limit, dropped)
    else:
        body = retell(found, source, reason, terms.limit)
    return Answer(body, source, found.generated_epoch), len(dropped) < len(set(found.item_ids))


def _by_region(region: str) -> Name:
    return (BY_REGION, region) if region else OVERALL_NAME


def _names_for(ask: PersonAsk, record: PersonRecord) -> tuple[Name, ...]:
    known = _known_of(record, ask.placement.fields)
    region = ask.region or known.get(REGION, "")
    segment = known.get(SEGMENT, "")
    named = ((BY_SEGMENT, segment), (BY_REGION, region))
    return (*(name for name in named if name[1]), OVERALL_NAME)


def _known_of(record: PersonRecord, permitted: frozenset[str]) -> dict[str, str]:
    try:
        profile = json.loads(record.profile) if record.profile else {}
        return {field: str(profile[field]) for field in permitted if profile.get(field)}
    except (ValueError, AttributeError) as error:
        logger.error("profile_corrupt %r: %s", record.profile, error)
        return {}

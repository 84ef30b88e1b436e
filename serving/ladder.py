"""Which list answers: the one decided on, and below it popular lists down to the last one known; never none of them."""

import logging
from dataclasses import replace

from contracts.answers import SOURCE_FALLBACK, SOURCE_HEAD, SOURCE_SIMILAR, SOURCE_TRENDING
from contracts.errors import CorruptData, HeadraceError, MissingInput
from contracts.redis_layout import similar_key
from contracts.settings import Settings
from ingest.hot_state import MINUTE_MS
from serving.asks import ListAsk, PersonAsk, SimilarAsk
from serving.decision import ON_DEMAND, STORED, decide
from serving.left_out import LeftOut
from serving.list_store import UNPUBLISHED, ListStore, PersonRecord, Pin, trouble_of
from serving.on_demand import WHY_NOT, OnDemand
from serving.popular_rungs import PopularRungs, by_region, names_for
from serving.popular_shelf import OVERALL_NAME
from serving.questions import question_of
from serving.rungs import Answer, Choice, Terms, own_list, shows_any, told
from serving.tail_client import TailFailure
from serving.trending_shelf import TrendingShelf
from serving.visit import Visit, facts_of, visit_of

logger = logging.getLogger(__name__)

NO_SIMILAR = "no similar items are stored for this item"
NO_SUCH_LIST = "no list is stored for what was asked"
NOTHING_TRENDS = "nothing trends at this moment"
ASKED_FOR = "as asked"


class Ladder:
    """Rungs in a stated order; each answer names the rung it came from. Deadlines are of what is asked of Redis."""

    def __init__(
        self, store: ListStore, popular: PopularRungs, trends: TrendingShelf, on_demand: OnDemand, settings: Settings
    ) -> None:
        self._store = store
        self._popular = popular
        self._trends = trends
        self._on_demand = on_demand
        self._session_life_ms = settings.session_ttl_minutes * MINUTE_MS
        self._list_size = settings.list_size

    def recommend(self, ask: PersonAsk, record: PersonRecord, deadline: float) -> Answer:
        """As decided, or the rung below; MissingInput when nothing was ever known."""
        pin, visit = record.pin, visit_of(ask, record, self._session_life_ms)
        terms = Terms("", ask.limit, visit.left_out, is_filtered=bool(ask.filter))
        if pin is None or record.trouble:
            return told(self._popular.last_known(record.trouble or UNPUBLISHED, by_region(ask.region)), terms)
        facts = facts_of(ask, record, visit)
        decision = decide(facts)
        if decision.route == STORED:
            if (own := _own(ask, visit, pin)) is not None:
                return own
            decision = decide(replace(facts, has_list=False))
        terms = replace(terms, why=decision.why)
        if decision.route == ON_DEMAND:
            return self._computed(ask, visit, pin, terms, deadline)
        return told(self._popular.choose(pin, names_for(visit), visit.left_out, deadline), terms)

    def similar(self, ask: SimilarAsk, deadline: float) -> Answer:
        """Similar items, popular overall, last known; MissingInput when nothing was ever known."""
        record = self._store.nobody(deadline)
        terms = Terms("", ask.limit, LeftOut(delisted=record.delisted.items))
        if record.pin is None:
            return told(self._popular.last_known(record.trouble, OVERALL_NAME), terms)
        try:
            raw = self._store.values([similar_key(record.pin.version, ask.item_id)], deadline)[0]
            body = None if raw is None else own_list(raw, ask.limit, terms.left_out)
            if body is not None:
                return Answer(body, SOURCE_SIMILAR, record.pin.generated_epoch)
        except HeadraceError as error:
            return told(self._popular.last_known(trouble_of(error), OVERALL_NAME), terms)
        choice = self._popular.choose(record.pin, (OVERALL_NAME,), terms.left_out, deadline)
        return told(choice, replace(terms, why=NO_SIMILAR))

    def popular(self, ask: ListAsk, deadline: float) -> Answer:
        """The list asked for, popular overall, last known; MissingInput when nothing was ever known."""
        record = self._store.nobody(deadline)
        terms = Terms("", ask.limit, LeftOut(delisted=record.delisted.items))
        if record.pin is None:
            return told(self._popular.last_known(record.trouble, ask.name), terms)
        choice = self._popular.choose(
            record.pin, tuple(dict.fromkeys((ask.name, OVERALL_NAME))), terms.left_out, deadline
        )
        if not choice.trouble:
            terms = replace(terms, why=ASKED_FOR if choice.name == ask.name else NO_SUCH_LIST)
        return told(choice, terms)

    def trending(self, ask: ListAsk, deadline: float) -> Answer:
        """What trends now, what trended by the last hour, popular overall, last known; MissingInput."""
        record = self._store.nobody(deadline)
        terms = Terms("", ask.limit, LeftOut(delisted=record.delisted.items), SOURCE_TRENDING)
        if record.pin is None:
            return told(self._popular.last_known(record.trouble, ask.name), terms)
        try:
            found = self._trends.now(record.pin, deadline)
        except HeadraceError as error:
            return told(self._popular.last_known(trouble_of(error), ask.name), terms)
        if found is not None and shows_any(found, terms.left_out):
            return told(Choice(found, found.head.reason, ask.name), terms)
        choice = self._popular.choose(record.pin, (ask.name, OVERALL_NAME), terms.left_out, deadline)
        return told(choice, Terms(NOTHING_TRENDS, ask.limit, terms.left_out))

    def _computed(self, ask: PersonAsk, visit: Visit, pin: Pin, terms: Terms, deadline: float) -> Answer:
        """On demand; where that fails, the person's own list, or the popular one.

        The latter is chosen before, so that Redis is asked nothing once inference has taken its time.
        """
        spare = self._spare(visit, pin, deadline)
        asked = replace(terms, limit=ask.limit or self._list_size)
        try:
            return self._on_demand.recommend(question_of(ask, visit, asked.limit), ask.user_id, asked, deadline)
        except TailFailure as failure:
            why_not = WHY_NOT[failure.kind]
        own = None if ask.filter else _own(ask, visit, pin, why_not)
        if own is not None:
            return own
        if isinstance(spare, MissingInput):
            raise spare
        return told(spare, replace(terms, why=f"{terms.why}; {why_not}", source=SOURCE_FALLBACK))

    def _spare(self, visit: Visit, pin: Pin, deadline: float) -> Choice | MissingInput:
        try:
            return self._popular.choose(pin, names_for(visit), visit.left_out, deadline)
        except MissingInput as error:
            return error


def _own(ask: PersonAsk, visit: Visit, pin: Pin, note: str = "") -> Answer | None:
    """The person's own list; None when there is none that may be used, or it cannot be read, or nothing is left."""
    if visit.stored is None or not ask.placement.uses_list:
        return None
    try:
        body = own_list(visit.stored, ask.limit, visit.left_out, note)
    except CorruptData as error:
        logger.error("list_corrupt version=%s: %s", pin.version, error)
        return None
    return None if body is None else Answer(body, SOURCE_HEAD, pin.generated_epoch)

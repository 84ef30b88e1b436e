"""A given list in the best order for a person; where that cannot be computed, in the order given."""

import time
from datetime import UTC, datetime

from contracts.answers import SOURCE_FALLBACK, AnswerHead, encode_answer
from contracts.intervals import format_instant
from contracts.settings import Settings
from ingest.hot_state import MINUTE_MS
from serving.asks import RankAsk
from serving.left_out import DELISTED_REASON
from serving.list_store import UNPUBLISHED, PersonRecord
from serving.on_demand import WHY_NOT, OnDemand
from serving.questions import ranking_of
from serving.rungs import Answer
from serving.tail_client import TailFailure
from serving.visit import visit_of

SUBJECT_AS_GIVEN = "given"
RANKED, IN_ORDER_GIVEN = "the given items, ranked for this person", "the given items in their order"
NOT_COMPUTED_HERE = "this place computes nothing on demand"


class Ranking:
    """Puts lists into order."""

    def __init__(self, on_demand: OnDemand, settings: Settings) -> None:
        self._on_demand = on_demand
        self._session_life_ms = settings.session_ttl_minutes * MINUTE_MS

    def rank(self, ask: RankAsk, record: PersonRecord, deadline: float) -> Answer:
        """All given items but those that nobody can have any more; never fails."""
        items = [item for item in ask.item_ids if item not in record.delisted.items]
        why = RANKED if len(items) == len(ask.item_ids) else f"{RANKED}; {DELISTED_REASON}"
        if record.pin is None or record.trouble:
            return _as_given(items, record, record.trouble or UNPUBLISHED)
        if not ask.person.placement.asks:
            return _as_given(items, record, NOT_COMPUTED_HERE)
        visit = visit_of(ask.person, record, self._session_life_ms)
        try:
            question = ranking_of(ask.person, visit, items)
            return self._on_demand.rank(question, ask.person.user_id, why, deadline)
        except TailFailure as failure:
            return _as_given(items, record, WHY_NOT[failure.kind])


def _as_given(items: list[str], record: PersonRecord, why: str) -> Answer:
    now = time.time()
    stamp = format_instant(datetime.fromtimestamp(now, UTC))
    version = record.pin.version if record.pin else ""
    head = AnswerHead(SUBJECT_AS_GIVEN, SOURCE_FALLBACK, f"{why}; {IN_ORDER_GIVEN}", version, stamp)
    scores = [1 / (place + 1) for place in range(len(items))]
    return Answer(encode_answer(head, items, scores), SOURCE_FALLBACK, now)

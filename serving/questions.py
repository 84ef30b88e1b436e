"""What the inference service is asked about a person: no more than the place may use."""

from collections.abc import Sequence

from serving.asks import PersonAsk
from serving.inference.messages import TailAsk, TailContext, to_row
from serving.placements import HISTORY, MAX_LIMIT
from serving.visit import Visit

SPARE_ITEMS = 20  # asked for beyond the limit, since what was delisted this second is dropped by whoever asks


def question_of(ask: PersonAsk, visit: Visit, limit: int) -> TailAsk:
    """Ask for a list of `limit` items."""
    return TailAsk(
        user_id=_name_of(ask),
        limit=min(MAX_LIMIT, limit + SPARE_ITEMS),
        seq=_seq_of(visit),
        events=[to_row(event) for event in visit.events],
        excluded=sorted(visit.left_out.gone | visit.left_out.excluded),
        forgotten_ms=visit.forgotten_ms,
        filter=ask.filter,
        context=_context_of(ask, visit),
    )


def ranking_of(ask: PersonAsk, visit: Visit, item_ids: Sequence[str]) -> TailAsk:
    """Ask for the order of given items: all of them stay, whatever the person bought."""
    return TailAsk(
        user_id=_name_of(ask),
        limit=len(item_ids),
        seq=_seq_of(visit),
        events=[to_row(event) for event in visit.events],
        forgotten_ms=visit.forgotten_ms,
        items=list(item_ids),
        context=_context_of(ask, visit),
    )


def _name_of(ask: PersonAsk) -> str:
    """Where the history may not be used, nobody is named, and so none is found."""
    return ask.user_id if HISTORY in ask.placement.fields else ""


def _seq_of(visit: Visit) -> int:
    return visit.seq if visit.events else 0


def _context_of(ask: PersonAsk, visit: Visit) -> TailContext:
    return TailContext(ask.placement.name, visit.region, ask.device)

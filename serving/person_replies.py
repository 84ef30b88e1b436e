"""What every route about a person does: read what is stored of them, have the answer made, respond."""

import time
from collections.abc import Callable
from dataclasses import replace

import orjson
from flask import Response, g, request

from contracts.overlay import sequence_of
from serving.asks import PersonAsk, wants_timings
from serving.http_answers import PRIVATE
from serving.list_store import ListStore, PersonRecord
from serving.placements import LIST
from serving.replies import reply
from serving.rungs import Answer, Timings

Make = Callable[[PersonRecord, float], Answer]
TIMINGS_FIELD = "timings_ms"


def reply_to(ask: PersonAsk, store: ListStore, make: Make) -> Response:
    """Respond with what `make` answers, given what is stored and the deadline of what is asked of Redis; BadInput."""
    is_timed = wants_timings(request.args)
    deadline = store.new_deadline()
    read_from = time.perf_counter()
    record = _read(ask, store, deadline)
    read_ms = (time.perf_counter() - read_from) * 1_000
    answer = make(record, deadline)
    if is_timed:
        total_ms = (time.perf_counter() - g.started) * 1_000
        answer = _timed(answer, (("store", read_ms), *answer.timings, ("total", total_ms)))
    return reply(answer, PRIVATE, sequence_of(record.overlay) if record.overlay else "")


def _read(ask: PersonAsk, store: ListStore, deadline: float) -> PersonRecord:
    if not ask.placement.personal:
        return store.nobody(deadline)
    if LIST in ask.placement.fields:
        return store.person(ask.user_id, deadline)
    return store.profile(ask.user_id, deadline)


def _timed(answer: Answer, stages: Timings) -> Answer:
    """The answer with a field more; what is stored of it stays byte for byte as it is."""
    told = orjson.dumps({name: round(ms, 3) for name, ms in stages})
    return replace(answer, body=b'%b,"%b":%b}' % (answer.body[:-1], TIMINGS_FIELD.encode(), told))

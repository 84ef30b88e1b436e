"""GET /v1/recommendations/{user_id}: a person's list at a place."""

from flask import Flask, Response, request

from contracts.overlay import sequence_of
from serving.asks import ask_for_person
from serving.fast_path import DEADLINE, PREFIX, RECORD, ROUTE
from serving.http_answers import PRIVATE
from serving.list_store import ListStore, PersonRecord
from serving.placements import LIST, Placement
from serving.replies import reply
from serving.services import Services


def register(app: Flask, services: Services) -> None:
    """Add the route."""

    @app.get(f"{PREFIX}<path:user_id>", endpoint=ROUTE)
    def recommendations(user_id: str) -> Response:
        ask = ask_for_person(user_id, request.args, services.placements)
        deadline = request.environ.get(DEADLINE) or services.store.new_deadline()
        record = request.environ.get(RECORD) or _read(services.store, ask.placement, ask.user_id, deadline)
        seq = sequence_of(record.overlay) if record.overlay else ""
        return reply(services.ladder.recommend(ask, record, deadline), PRIVATE, seq)


def _read(store: ListStore, placement: Placement, user_id: str, deadline: float) -> PersonRecord:
    if not placement.personal:
        return store.nobody(deadline)
    if LIST in placement.fields:
        return store.person(user_id, deadline)
    return store.profile(user_id, deadline)

"""Items and people brought to the intake, and what came of each."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from flask import Response

from contracts.entity_contract import Item, User, record_of_item, record_of_user
from contracts.errors import BadInput
from ingest.refusals import MAX_EVENTS, shown
from serving.receipts import ACCEPTED, REJECTED, Result, receipt
from serving.services import Services

Entity = TypeVar("Entity", Item, User)


def read_each(document: object, name: str, reader: Callable[..., Entity], source: str) -> list[Entity | BadInput]:
    """Entities of an array, or of an object that has it under `name`; for a bad one, why. BadInput for the whole."""
    rows = document.get(name) if isinstance(document, dict) and set(document) == {name} else document
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_EVENTS:
        found = f"{len(rows)} of them" if isinstance(rows, list) else shown(document)
        raise BadInput(f'the body is {found}; send {{"{name}": [...]}} with 1 to {MAX_EVENTS} of them')
    received_at = time.time_ns() // 1_000
    found_rows: list[Entity | BadInput] = []
    for row in rows:
        try:
            found_rows.append(reader(row, received_at=received_at, source=source))
        except BadInput as error:
            found_rows.append(error)
    return found_rows


def take_items(services: Services, entries: Sequence[Item | BadInput]) -> Response:
    """Store items; what is delisted is gone from every answer when this returns."""
    items = [entry for entry in entries if isinstance(entry, Item)]
    taken = services.intake.take([record_of_item(item) for item in items], items)
    return receipt([_result(entry) for entry in entries], visible=taken.visible)


def take_users(services: Services, entries: Sequence[User | BadInput]) -> Response:
    """Store what is known of people."""
    users = [entry for entry in entries if isinstance(entry, User)]
    taken = services.intake.take([record_of_user(user) for user in users], ())
    return receipt([_result(entry) for entry in entries], visible=taken.visible)


def _result(entry: Item | User | BadInput) -> Result:
    if isinstance(entry, BadInput):
        return {"status": REJECTED, "detail": str(entry)}
    name = {"item_id": entry.item_id} if isinstance(entry, Item) else {"user_id": entry.user_id}
    return {**name, "status": ACCEPTED}

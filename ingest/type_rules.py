"""What an event of each type must bring along; types of the sender's own need nothing more than every event."""

from collections.abc import Mapping

from contracts.event_contract import (
    ADD_TO_CART,
    CLICK,
    HOVER,
    NOT_INTERESTED,
    PURCHASE,
    RATING,
    REMOVE_FROM_CART,
    SEARCH,
    SHOWN,
    SURVEY_ANSWER,
    VIEW,
    Event,
)
from ingest.refusals import refuse, shown

QUERY, QUESTION, ANSWER = "query", "question", "answer"
_ITEM = ("item_id",)
# Fields of the event that a type needs, and names under its properties.
NEEDED_FIELDS: Mapping[str, tuple[str, ...]] = {
    VIEW: _ITEM,
    CLICK: _ITEM,
    HOVER: _ITEM,
    ADD_TO_CART: _ITEM,
    REMOVE_FROM_CART: _ITEM,
    PURCHASE: _ITEM,
    RATING: ("item_id", "value"),
    NOT_INTERESTED: _ITEM,
    SHOWN: ("recommendation_id", "item_ids"),
}
NEEDED_PROPERTIES: Mapping[str, tuple[str, ...]] = {SEARCH: (QUERY,), SURVEY_ANSWER: (QUESTION, ANSWER)}
_TEXTS = (QUERY, QUESTION)


def check_type(event: Event) -> None:
    """Refuse an event that lacks what its type needs."""
    for name in NEEDED_FIELDS.get(event.event_type, ()):
        if getattr(event, name) in ("", None, ()):
            refuse("*_missing", f"{name} is missing in an event of type {event.event_type}", name)
    for name in NEEDED_PROPERTIES.get(event.event_type, ()):
        value = event.properties.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            refuse("*_missing", f"properties.{name} is missing in an event of type {event.event_type}", name)
        if name in _TEXTS and not isinstance(value, str):
            refuse("*_not_text", f"properties.{name} is {shown(value)}", name)

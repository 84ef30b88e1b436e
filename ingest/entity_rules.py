"""Items and people as they are posted, checked field by field; what cannot be taken says why."""

from collections.abc import Mapping
from typing import Any

from contracts.entity_contract import NOT_AVAILABLE, Item, User
from contracts.errors import BadInput
from contracts.lake import AVAILABLE
from ingest.field_rules import read_id, read_number
from ingest.refusals import MAX_ENTRIES, MAX_NAME_LENGTH, MAX_TEXT_LENGTH, Refusal, shown

ITEM_FIELDS = frozenset({"item_id", "category", "price", "available", "attributes"})
USER_FIELDS = frozenset({"user_id", "region", "attributes"})


def read_item(raw: object, *, received_at: int, source: str, item_id: str = "") -> Item:
    """An item of a request, whole: what it leaves out is unknown from now on. `item_id` is that of the path."""
    body = _object(raw, ITEM_FIELDS)
    attributes = _attributes(body.get("attributes"))
    available = body.get(AVAILABLE, True)
    if type(available) is not bool:
        raise BadInput(f"available is {shown(available)}; send true or false")
    if AVAILABLE in attributes:
        raise BadInput("attributes say what is available; send it as a field beside them")
    if not available:
        attributes[AVAILABLE] = NOT_AVAILABLE
    try:
        price = read_number("price", body.get("price"))
        category = read_id("category", body.get("category"))
        named = _same_id("item_id", item_id, body)
    except Refusal as refusal:
        raise BadInput(refusal.detail) from refusal
    return Item(named, category, price, attributes, received_at, source)


def read_user(raw: object, *, received_at: int, source: str, user_id: str = "") -> User:
    """A person of a request, whole: what it leaves out is unknown from now on. `user_id` is that of the path."""
    body = _object(raw, USER_FIELDS)
    attributes = _attributes(body.get("attributes"))
    try:
        region = read_id("region", body.get("region"))
        named = _same_id("user_id", user_id, body)
    except Refusal as refusal:
        raise BadInput(refusal.detail) from refusal
    return User(named, region, attributes, received_at, source)


def _object(raw: object, fields: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise BadInput(f"this is {shown(raw)}; send a JSON object")
    if unknown := sorted(set(raw) - fields):
        raise BadInput(f"field {shown(unknown[0])} is unknown; fields are {', '.join(sorted(fields))}")
    return raw


def _same_id(name: str, in_path: str, body: Mapping[str, Any]) -> str:
    given = read_id(name, body.get(name))
    if in_path and given and given != in_path:
        raise BadInput(
            f"{name} is {shown(given)} in the body and {shown(in_path)} in the path; leave it out of the body"
        )
    if not in_path and not given:
        raise BadInput(f"{name} is missing; send it as text")
    return read_id(name, in_path) or given


def _attributes(raw: object) -> dict[str, str]:
    """Scalars become text, as the lake keeps them."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise BadInput(f"attributes are {shown(raw)}; send a JSON object")
    if len(raw) > MAX_ENTRIES:
        raise BadInput(f"attributes have {len(raw)} names; keep at most {MAX_ENTRIES}")
    return {_name(name): _text(name, value) for name, value in raw.items() if value is not None}


def _name(name: str) -> str:
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadInput(f"an attribute is called {shown(name)}; names have 1 to {MAX_NAME_LENGTH} printable characters")
    return name


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float) and len(str(value)) <= MAX_TEXT_LENGTH:
        return str(value)
    raise BadInput(f"attribute {name} is {shown(value)}; send a number, true, false or text of {MAX_TEXT_LENGTH}")

"""Rules of single fields: what each may hold, quickly for what is usual, in words for what is not."""

import re
from typing import Any

from contracts.event_contract import CHANNEL, CONTEXT_PLACEMENT, CONTEXT_REGION, DEVICE_TYPE, EVENT_TYPES, LOCALE
from contracts.user_state import MAX_ID_BYTES
from ingest.refusals import (
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_ITEM_IDS,
    MAX_NAME_LENGTH,
    MAX_NUMBER,
    MAX_TEXT_LENGTH,
    refuse,
    shown,
)

_is_uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_NIL_UUID = "00000000-0000-0000-0000-000000000000"
_is_type_name = re.compile(r"[a-z][a-z0-9_]{0,63}").fullmatch
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_KNOWN_TYPES = frozenset(EVENT_TYPES)
_KNOWN_CONTEXT = frozenset((CHANNEL, CONTEXT_REGION, LOCALE, DEVICE_TYPE, CONTEXT_PLACEMENT))
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def read_id(name: str, value: object) -> str:
    """An id or other short text; "" when it is absent, null or empty."""
    if value is None or value == "":
        return ""
    if type(value) is not str:
        refuse("*_not_text", f"{name} is {shown(value)}", name)
    if len(value) <= MAX_ID_BYTES and value.isascii() and value.isprintable():
        return value
    if _SURROGATE.search(value):
        refuse("*_not_unicode", f"{name} is {shown(value)}", name)
    if _CONTROL.search(value):
        refuse("*_control_character", f"{name} is {shown(value)}", name)
    if (size := len(value.encode())) > MAX_ID_BYTES:
        refuse("*_too_long", f"{name} has {size:,} bytes", name)
    return value


def read_event_id(value: object) -> str:
    """A UUID in lower case."""
    if value is None or value == "":
        refuse("event_id_missing", "there is no event_id")
    if type(value) is not str:
        refuse("*_not_text", f"event_id is {shown(value)}", "event_id")
    lower = value.lower()
    if not _is_uuid(lower) or lower == _NIL_UUID:
        refuse("event_id_not_uuid", f"event_id is {shown(value)}")
    return lower


def read_event_type(value: object) -> str:
    """A known type or a name of the sender's own."""
    if value is None or value == "":
        refuse("*_missing", "there is no event_type", "event_type")
    if type(value) is not str:
        refuse("*_not_text", f"event_type is {shown(value)}", "event_type")
    if value not in _KNOWN_TYPES and not _is_type_name(value):
        refuse("event_type_name", f"event_type is {shown(value)}")
    return value


def read_number(name: str, value: object) -> float | None:
    """A number of bounded size; None when it is absent. NaN is in no range either."""
    if value is None:
        return None
    if type(value) is not float and type(value) is not int:
        refuse("*_not_a_number", f"{name} is {shown(value)}", name)
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        refuse("*_out_of_range", f"{name} is {shown(value)}", name)
    return float(value)


def read_currency(value: object) -> str:
    """Three letters, in upper case; "" when absent."""
    if value is None or value == "":
        return ""
    if type(value) is not str or not _CURRENCY.fullmatch(value):
        refuse("currency_shape", f"currency is {shown(value)}")
    return value.upper()


def read_item_ids(value: object) -> tuple[str, ...]:
    """A bounded list of ids, in order."""
    if value is None:
        return ()
    if type(value) is not list:
        refuse("item_ids_not_a_list", f"item_ids is {shown(value)}")
    if len(value) > MAX_ITEM_IDS:
        refuse("item_ids_too_many", f"item_ids has {len(value):,} entries")
    ids = tuple([read_id("item_ids", one) for one in value])
    if "" in ids:
        refuse("*_missing", f"entry {ids.index('')} of item_ids is empty", "item_ids")
    return ids


def read_context(value: object) -> dict[str, str]:
    """Bounded names and texts; null and empty values are left out."""
    pairs = _read_object("context", value)
    for name, text in pairs.items():
        if type(text) is not str or not 0 < len(text) <= MAX_TEXT_LENGTH or name not in _KNOWN_CONTEXT:
            return {key: one for key, one in pairs.items() if _has_text(key, one)}
    return pairs


def _has_text(name: str, text: object) -> bool:
    _check_name("context", name)
    if text is None or text == "":
        return False
    if type(text) is not str:
        refuse("context_value_not_text", f"context.{name} is {shown(text)}")
    if len(text) > MAX_TEXT_LENGTH:
        refuse("context_value_too_long", f"context.{name} has {len(text):,} characters")
    return True


def read_consent(value: object) -> dict[str, bool]:
    """Bounded names and true or false."""
    pairs = _read_object("consent", value)
    for name, agreed in pairs.items():
        _check_name("consent", name)
        if type(agreed) is not bool:
            refuse("consent_value", f"consent.{name} is {shown(agreed)}")
    return pairs


def read_properties(value: object) -> dict[str, Any]:
    """A JSON object of bounded depth; how large it may be is checked on its bytes."""
    if value is None:
        return {}
    if type(value) is not dict:
        refuse("*_not_an_object", f"properties is {shown(value)}", "properties")
    level: list[object] = [one for one in value.values() if type(one) is dict or type(one) is list]
    depth = 1
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            refuse("properties_too_deep", f"properties nest more than {MAX_DEPTH} levels")
        inner = [one.values() if type(one) is dict else one for one in level]
        level = [one for part in inner for one in part if type(one) is dict or type(one) is list]  # type: ignore[attr-defined]
    return value


def _read_object(name: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if type(value) is not dict:
        refuse("*_not_an_object", f"{name} is {shown(value)}", name)
    if len(value) > MAX_ENTRIES:
        refuse("*_too_many_entries", f"{name} has {len(value):,} names", name)
    return value


def _check_name(field: str, name: str) -> None:
    if not _is_plain_name(name) and (not name or len(name) > MAX_NAME_LENGTH or _CONTROL.search(name)):
        refuse("*_name", f"a name in {field} is {shown(name)}", field)


def _is_plain_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME_LENGTH and name.isascii() and name.isprintable()

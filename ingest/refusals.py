"""Why the gate refuses: one table of codes, each with its stage and the cure; docs/events.md shows it.

A code with a star stands for one code a field: `*_missing` is met as item_id_missing, user_id_missing and so on.
"""

from dataclasses import dataclass
from typing import NoReturn

from contracts.dead_letter_contract import FORM, MEANING, PARSE
from contracts.user_state import MAX_ID_BYTES

MAX_EVENTS = 500
MAX_ITEM_IDS = 500
MAX_ENTRIES = 32
MAX_NAME_LENGTH = 64
MAX_TEXT_LENGTH = 256
MAX_PROPERTIES_BYTES = 16_384
MAX_DEPTH = 8
MAX_NUMBER = 1_000_000_000
_SHOWN_LENGTH = 80
_MAKE_UUID = (
    "make a UUID such as 0b7e3f2c-5d1a-4c8e-9f60-3a2b1c4d5e6f once for each event, and repeat it on every retry"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a rule is checked, and what to do about what breaks it."""

    stage: str
    cure: str


RULES = {
    "not_json": Rule(PARSE, 'send UTF-8 JSON: an event, an array of events, or {"events": [...], "sent_at": ...}'),
    "not_an_event": Rule(PARSE, "an event is a JSON object"),
    "too_many_events": Rule(PARSE, f"send at most {MAX_EVENTS} events at once"),
    "unknown_field": Rule(FORM, "use a field of docs/events.md, or put it under properties"),
    "schema_version_unknown": Rule(FORM, "leave schema_version out, or name a version that the server knows"),
    "event_id_missing": Rule(FORM, _MAKE_UUID),
    "*_missing": Rule(FORM, "an event of this type needs it"),
    "*_not_text": Rule(FORM, "send text, in quotes"),
    "*_too_long": Rule(
        FORM, f"ids have at most {MAX_ID_BYTES} bytes of UTF-8, values of context {MAX_TEXT_LENGTH} characters"
    ),
    "*_control_character": Rule(FORM, "remove line ends, tabs and other control characters"),
    "*_not_unicode": Rule(FORM, "half a surrogate pair is left of a character that was cut; cut between characters"),
    "event_id_not_uuid": Rule(FORM, _MAKE_UUID),
    "event_type_name": Rule(
        FORM, f"a lower-case letter, then lower-case letters, digits and _, at most {MAX_NAME_LENGTH} in all"
    ),
    "occurred_at_unreadable": Rule(FORM, "send seconds, ms, µs or ns since 1970, or ISO 8601"),
    "sent_at_unreadable": Rule(FORM, "send seconds, ms, µs or ns since 1970, or ISO 8601; or leave it out"),
    "*_not_a_number": Rule(FORM, "send a JSON number, without quotes"),
    "*_out_of_range": Rule(FORM, f"send a finite number between -{MAX_NUMBER:,} and {MAX_NUMBER:,}"),
    "currency_shape": Rule(FORM, "send three letters by ISO 4217, such as EUR"),
    "item_ids_not_a_list": Rule(FORM, "send a JSON array of item ids"),
    "item_ids_too_many": Rule(FORM, f"send at most {MAX_ITEM_IDS}"),
    "*_not_an_object": Rule(FORM, "send a JSON object"),
    "*_too_many_entries": Rule(FORM, f"keep at most {MAX_ENTRIES} names; the rest belongs under properties"),
    "*_name": Rule(FORM, f"names in it have 1 to {MAX_NAME_LENGTH} characters, none of them a control character"),
    "context_value_not_text": Rule(FORM, "values of context are text; numbers and lists belong under properties"),
    "context_value_too_long": Rule(FORM, f"values of context have at most {MAX_TEXT_LENGTH} characters"),
    "consent_value": Rule(FORM, "values of consent are true or false"),
    "properties_not_json": Rule(FORM, "properties hold only what JSON can say"),
    "properties_too_deep": Rule(FORM, f"nest at most {MAX_DEPTH} levels"),
    "properties_too_large": Rule(FORM, f"keep them below {MAX_PROPERTIES_BYTES:,} bytes of JSON"),
    "person_missing": Rule(MEANING, "send user_id, anonymous_id or both"),
    "user_id_reserved": Rule(
        MEANING, "ids that begin with anon: stand for people without a name; send anonymous_id instead"
    ),
    "occurred_at_early": Rule(MEANING, "nothing before 2015 is taken; look at the device's clock and at the unit"),
    "occurred_at_ahead": Rule(
        MEANING, "at most 5 minutes ahead is taken; send sent_at by the same clock and a wrong clock is corrected"
    ),
    "sent_at_early": Rule(MEANING, "a clock before 2015 is not set; leave sent_at out or set the clock"),
}


class Refusal(Exception):
    """One event cannot be taken; raised by the rules, and turned into a dead letter by the gate."""

    def __init__(self, code: str, stage: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.stage, self.detail = code, stage, detail


def refuse(rule: str, found: str, field: str = "") -> NoReturn:
    """Raise the refusal of a rule; `field` fills in the star of its name, `found` says what was found."""
    entry = RULES[rule]
    raise Refusal(rule.replace("*", field), entry.stage, f"{found}; {entry.cure}")


def shown(value: object) -> str:
    """A value as a message quotes it: short, on one line, its kind in words when it is no text."""
    text = repr(value)
    if len(text) > _SHOWN_LENGTH:
        text = text[:_SHOWN_LENGTH] + "…"
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    kind = kinds.get(type(value))
    return f"{text} ({kind})" if kind else text

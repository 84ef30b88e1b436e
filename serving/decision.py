"""The decision of each request: the stored list, one computed on demand, or what is popular; and why."""

from dataclasses import dataclass

from serving.placements import HISTORY, SESSION, Placement

STORED, ON_DEMAND, POPULAR = "stored", "on_demand", "popular"

NEWER_SESSION = "what this person just did is newer than their stored list"
FILTERED = "a filter was asked for"
BROUGHT = "the request tells what this person just did"
NO_OWN_LIST = "no list of their own is stored for this person"
NOT_OWN_HERE = "this place does not use a person's own list"
NOTHING_KNOWN = "nothing that this place may use is known of this person"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision stands on.

    `session_ms` is the instant of the newest event of a live session that names an item, `list_ms` the one up to which
    the stored list knows the person; 0 when there is none.
    """

    placement: Placement
    has_list: bool = False
    list_ms: int = 0
    is_known: bool = False
    session_ms: int = 0
    brings_session: bool = False
    has_filter: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Where the answer is to come from, and the reason in words."""

    route: str
    why: str = ""


def decide(facts: Facts) -> Decision:
    """Decide one request; the first rule that applies has it."""
    place = facts.placement
    owns_list = place.uses_list and facts.has_list
    is_newer = facts.session_ms > facts.list_ms
    rules = (
        (place.asks and facts.has_filter, Decision(ON_DEMAND, FILTERED)),
        (place.asks and facts.brings_session, Decision(ON_DEMAND, BROUGHT)),
        (owns_list and place.session and is_newer, Decision(ON_DEMAND, NEWER_SESSION)),
        (owns_list, Decision(STORED)),
        (place.asks and _has_something(facts), Decision(ON_DEMAND, NO_OWN_LIST if place.uses_list else NOT_OWN_HERE)),
        (not place.uses_list, Decision(POPULAR, NOT_OWN_HERE)),
        (place.asks, Decision(POPULAR, NOTHING_KNOWN)),
        (True, Decision(POPULAR, NO_OWN_LIST)),
    )
    return next(decision for applies, decision in rules if applies)


def _has_something(facts: Facts) -> bool:
    fields = facts.placement.fields
    return (facts.is_known and HISTORY in fields) or (facts.session_ms > 0 and SESSION in fields)

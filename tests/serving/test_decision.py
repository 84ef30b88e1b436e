"""The stored list, on demand or popular: one table says which, by what is known and what the place permits."""

from dataclasses import replace

import pytest

from contracts.answers import SOURCE_HEAD, SOURCE_ON_DEMAND, SOURCE_POPULAR
from serving.decision import (
    BROUGHT,
    FILTERED,
    NEWER_SESSION,
    NO_OWN_LIST,
    NOT_OWN_HERE,
    NOTHING_KNOWN,
    ON_DEMAND,
    POPULAR,
    STORED,
    Decision,
    Facts,
    decide,
)
from serving.placements import HISTORY, LIST, SESSION, Placement

ALL = Placement(
    "all",
    "everything",
    True,
    frozenset((SOURCE_HEAD, SOURCE_ON_DEMAND, SOURCE_POPULAR)),
    frozenset((LIST, HISTORY, SESSION)),
    session=True,
)
CALM = replace(ALL, session=False)
NO_LIST = replace(ALL, sources=frozenset((SOURCE_ON_DEMAND,)), session=False)
NO_HISTORY = replace(ALL, fields=frozenset((LIST, SESSION)))
NO_SESSION = replace(CALM, fields=frozenset((LIST, HISTORY)))
STORED_ONLY = replace(CALM, sources=frozenset((SOURCE_HEAD, SOURCE_POPULAR)))
POPULAR_ONLY = replace(CALM, sources=frozenset((SOURCE_POPULAR,)), fields=frozenset())
HEAD = Facts(ALL, has_list=True, list_ms=1_000, is_known=True)
TAIL = Facts(ALL, is_known=True)
STRANGER = Facts(ALL)
BROWSING = {"session_ms": 1_001}

TABLE = [
    ("a head user", HEAD, STORED, ""),
    ("a head user in a session", replace(HEAD, **BROWSING), ON_DEMAND, NEWER_SESSION),
    ("a session that the list knows already", replace(HEAD, session_ms=1_000), STORED, ""),
    ("a session where newer events change nothing", replace(HEAD, **BROWSING, placement=CALM), STORED, ""),
    ("a session where only stored lists serve", replace(HEAD, **BROWSING, placement=STORED_ONLY), STORED, ""),
    ("a head user where own lists do not serve", replace(HEAD, placement=NO_LIST), ON_DEMAND, NOT_OWN_HERE),
    ("a head user where only popular lists do", replace(HEAD, placement=POPULAR_ONLY), POPULAR, NOT_OWN_HERE),
    ("a head user with a filter", replace(HEAD, has_filter=True), ON_DEMAND, FILTERED),
    ("a head user who brings a session", replace(HEAD, brings_session=True), ON_DEMAND, BROUGHT),
    ("a tail user", TAIL, ON_DEMAND, NO_OWN_LIST),
    ("a tail user where newer events change nothing", replace(TAIL, placement=CALM), ON_DEMAND, NO_OWN_LIST),
    ("a tail user where only stored lists serve", replace(TAIL, placement=STORED_ONLY), POPULAR, NO_OWN_LIST),
    ("a tail user whose history may not be used", replace(TAIL, placement=NO_HISTORY), POPULAR, NOTHING_KNOWN),
    ("the same in a session", replace(TAIL, **BROWSING, placement=NO_HISTORY), ON_DEMAND, NO_OWN_LIST),
    ("a stranger", STRANGER, POPULAR, NOTHING_KNOWN),
    ("a stranger's first click", replace(STRANGER, **BROWSING), ON_DEMAND, NO_OWN_LIST),
    ("a click that may not be used", replace(STRANGER, **BROWSING, placement=NO_SESSION), POPULAR, NOTHING_KNOWN),
    ("a stranger with a filter", replace(STRANGER, has_filter=True), ON_DEMAND, FILTERED),
    ("a stranger who brings a session", replace(STRANGER, brings_session=True), ON_DEMAND, BROUGHT),
]


@pytest.mark.parametrize(("facts", "route", "why"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_decision(facts: Facts, route: str, why: str) -> None:
    assert decide(facts) == Decision(route, why)

"""Moments in the middle of sessions as examples for the ranker: what was known then, and what came after."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contracts.overlay import MAX_SESSION_EVENTS
from models.live_state import StateTerms, lay_over
from models.profile import Profile
from models.user_state import LiveSession, Request

MOMENTS_A_SESSION = 2
IN_SESSION, RIGHT_AFTER = 1, 1  # grades that an item gains when it comes in this very session, and when it comes next


@dataclass(frozen=True, slots=True)
class Happened:
    """What a person did since their profile was made: n events, oldest first, as a live session has them.

    `session_codes` int [n] says which belong together, `grades` int32 [n] how much each says that an item was right.
    """

    events: LiveSession
    session_codes: NDArray[np.int64]
    grades: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Moment:
    """A request, and the grades of the items that were wanted after it."""

    request: Request
    wanted: dict[str, int]


def moments_of(user_id: str, profile: Profile | None, happened: Happened, terms: StateTerms) -> Iterator[Moment]:
    """Moments of the person's first session, drawn by their id; early ones are likelier, for most sessions are short.

    Only the first: of later ones the hour's profile would know what came before.
    """
    mine = np.flatnonzero(happened.session_codes == happened.session_codes[0])
    random = np.random.default_rng(list(user_id.encode()))
    drawn = np.exp(random.random(MOMENTS_A_SESSION) * np.log(max(len(mine), 1))).astype(np.int64)
    for seen in sorted({int(count) for count in drawn if count < len(mine)}):
        known = mine[:seen]
        session = part_of(happened.events, known[-MAX_SESSION_EVENTS:])
        now = replace(terms, as_of_at=int(session.at_seconds[-1]))
        yield Moment(lay_over(profile, user_id, session, now), _wanted(happened, known[-1], mine[seen]))


def part_of(events: LiveSession, places: NDArray[np.int64]) -> LiveSession:
    """Some events of a session."""
    return LiveSession(
        tuple(events.item_ids[place] for place in places),
        tuple(events.event_types[place] for place in places),
        events.at_seconds[places],
        events.values[places],
    )


def _wanted(happened: Happened, last: np.int64, after: np.int64) -> dict[str, int]:
    """Best grade of each item that comes after an event; `after` is the place of the session's next one."""
    wanted: dict[str, int] = {}
    for place in range(int(last) + 1, len(happened.grades)):
        grade = int(happened.grades[place])
        grade += IN_SESSION * int(happened.session_codes[place] == happened.session_codes[last])
        grade += RIGHT_AFTER * int(place == after)
        item_id = happened.events.item_ids[place]
        wanted[item_id] = max(wanted.get(item_id, 0), grade)
    return wanted

"""The session model beside the hour's candidates: a live session in, candidate rows with scores out."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts.features import DISLIKES
from models.id_map import IdMap
from models.scorers import Scorer
from models.session_model import SessionModel, foretell
from models.sessions import time_gaps
from models.user_state import LiveSession


@dataclass(frozen=True, slots=True)
class NextItems:
    """What may be wanted next: rows of the candidate bundle, int32, and scores, float32; best first."""

    rows: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    scores: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class SessionStage:
    """A session model over its own `items`; `candidate_rows` int32 says where each stands in the candidate bundle."""

    model: SessionModel
    scorer: Scorer
    items: IdMap
    candidate_rows: NDArray[np.int32]

    @classmethod
    def beside(cls, candidates: IdMap, model: SessionModel, scorer: Scorer) -> "SessionStage":
        """Join a session model with the items of a candidate bundle; `scorer` runs its trees."""
        return cls(model, scorer, IdMap(model.item_ids), candidates.rows(model.item_ids))

    def next_items(self, session: LiveSession, count: int) -> NextItems:
        """Up to `count` items; none for a session of which the model knows no item."""
        rows = self.items.rows(wanted_items(session))
        known = rows >= 0
        if not known.any():
            return NextItems()
        found, scores = foretell(
            self.model, self.scorer, rows[known], time_gaps(session.at_seconds[known]), count=count
        )
        mine = self.candidate_rows[found]
        return NextItems(mine[mine >= 0], scores[mine >= 0])


def wanted_items(session: LiveSession) -> tuple[str, ...]:
    """The item of each event, "" where the event is no sign that it is wanted."""
    pairs = zip(session.item_ids, session.event_types, strict=True)
    return tuple("" if kind in DISLIKES else item_id for item_id, kind in pairs)

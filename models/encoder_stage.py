"""The session encoder beside the hour's candidates: a live session in, rows near its vector with scores out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.id_map import IdMap
from models.retrieval_index import EXACT, RetrievalIndex, build_index
from models.session_encoder import SessionEncoder, kind_codes
from models.session_stage import NextItems, wanted_items
from models.sessions import time_gaps
from models.user_state import LiveSession


@dataclass(frozen=True, slots=True)
class EncoderStage:
    """An encoder over a candidate bundle's rows; `index` searches its vectors, `strange` bool [items] have none."""

    encoder: SessionEncoder
    index: RetrievalIndex
    strange: NDArray[np.bool_]

    @classmethod
    def beside(cls, candidates: IdMap, encoder: SessionEncoder) -> "EncoderStage":
        """Join an encoder with the items of a candidate bundle."""
        aligned = encoder.aligned_to(candidates)
        vectors = aligned.item_vectors.astype(np.float32)
        return cls(aligned, build_index(vectors, EXACT), np.asarray(~vectors.any(axis=1)))

    def vector(self, session: LiveSession) -> NDArray[np.float32] | None:
        """The session's vector; nothing where no wanted item is known."""
        rows = self.encoder.items.rows(wanted_items(session))
        known = rows >= 0
        kinds = kind_codes(session.event_types)
        return self.encoder.encode(rows[known], time_gaps(session.at_seconds[known]), kinds[known])

    def next_items(self, session: LiveSession, count: int) -> NextItems:
        """Up to `count` items nearest to the session, best first; none for one of which the encoder knows no item."""
        vector = self.vector(session)
        if vector is None:
            return NextItems()
        rows, scores = self.index.search(vector, count, self.strange)
        return NextItems(rows.astype(np.int32), scores)

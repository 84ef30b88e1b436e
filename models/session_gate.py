"""The gate of a new session model: the next item of the newest sessions, foretold by it, by popularity, by the last."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.errors import GateRefused
from models.gate import paired_interval
from models.id_map import IdMap
from models.scorers import Scorer
from models.session_model import SessionModel, next_items
from models.sessions import Sessions, time_gaps

DEPTH = 20
MOST_CLICKS = 2_000
Rows = NDArray[np.int32]
Predict = Callable[[Rows, NDArray[np.float32]], Rows]


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """MRR@20 over the clicks of the gate's sessions, and the paired difference to the previous model."""

    gate_clicks: int
    mrr: float
    mrr_popularity: float
    mrr_previous: float
    difference_low: float
    difference_high: float

    def as_figures(self) -> dict[str, float | int | str]:
        """Rounded, for manifests and logs."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


def pass_session_gate(
    sessions: Sessions, candidate: Predict, popularity: Predict, previous: Predict | None
) -> SessionFigures:
    """Compare, and return the figures; GateRefused when the new model is behind popularity or the previous model."""
    new = reciprocal_ranks(sessions, candidate)
    popular = reciprocal_ranks(sessions, popularity)
    old = new if previous is None else reciprocal_ranks(sessions, previous)
    low, high = paired_interval(new - old)
    mrr, mrr_popularity, mrr_previous = (float(ranks.mean()) if len(ranks) else 0.0 for ranks in (new, popular, old))
    figures = SessionFigures(len(new), mrr, mrr_popularity, mrr_previous, low, high)
    broken = []
    if figures.mrr < figures.mrr_popularity:
        broken.append(f"MRR@{DEPTH} {figures.mrr:.4f} is below popularity's {figures.mrr_popularity:.4f}")
    if high < 0:
        broken.append(
            f"MRR@{DEPTH} {figures.mrr:.4f} is below the previous model's {figures.mrr_previous:.4f} "
            f"(paired difference {low:.4f} .. {high:.4f} over {figures.gate_clicks} clicks)"
        )
    if broken:
        raise GateRefused(f"the new session model was refused: {'; '.join(broken)}; the previous one keeps serving")
    return figures


def reciprocal_ranks(sessions: Sessions, predict: Predict) -> NDArray[np.float64]:
    """1 over the place of each click but the first of a session in what was foretold, 0 beyond the 20th."""
    ranks: list[float] = []
    for begin, end in zip(sessions.starts[:-1], sessions.starts[1:], strict=True):
        rows, gaps = sessions.item_rows[begin:end], time_gaps(sessions.clicked_at[begin:end])
        for seen in range(1, len(rows)):
            hits = np.flatnonzero(predict(rows[:seen], gaps[:seen])[:DEPTH] == rows[seen])
            ranks.append(1.0 / (1 + int(hits[0])) if len(hits) else 0.0)
        if len(ranks) >= MOST_CLICKS:
            break
    return np.array(ranks, np.float64)


def by_model(model: SessionModel, scorer: Scorer, items: IdMap) -> Predict:
    """What a model foretells, in rows of `items`, which may be others than its own."""
    to_model, to_items = IdMap(model.item_ids).rows(items.external_ids), items.rows(model.item_ids)

    def predict(rows: Rows, gaps: NDArray[np.float32]) -> Rows:
        return np.asarray(to_items[next_items(model, scorer, to_model[rows], gaps, count=DEPTH)[0]], np.int32)

    return predict


def by_popularity(model: SessionModel) -> Predict:
    """What was clicked most of late; the item on the screen left out."""
    head = model.popular_rows[: DEPTH + 1]
    return lambda rows, _: head[head != rows[-1]][:DEPTH]

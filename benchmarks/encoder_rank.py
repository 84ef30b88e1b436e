"""Does the encoder help the trees of the session model? Its score as two features, and its candidates beside theirs.

The trees learn on the newest sessions of the past, with sources from before them, and are judged with sources of all
the past, as the session model itself does it; the encoder is of the time before those sessions in both.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoder_worlds import World
from benchmarks.report import Figure
from benchmarks.sessions import interval
from contracts.event_contract import CLICK
from models.session_encoder import LAST_EVENTS, SessionEncoder, kind_codes
from models.session_features import FEATURES, SessionSources, session_candidates
from models.session_training import EXAMPLES_A_SESSION, SessionParameters
from models.sessions import Sessions, time_gaps

EXTRA = 100  # candidates that the encoder brings
SHORT = 20
UNTOUCHED = tuple(FEATURES.index(name) for name in ("item_clicks", "item_recent_clicks", "item_trend"))
OF_THE_SESSION = tuple(
    FEATURES.index(name) for name in ("session_clicks", "session_distinct_share", "last_gap", "last_item_clicks")
)
AGO = FEATURES.index("clicks_ago")

Floats = NDArray[np.float32]
Rows = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known at some instant: sources of the session model, and an encoder with its vectors in float32."""

    sources: SessionSources
    encoder: SessionEncoder
    vectors: Floats

    def candidates(self, rows: Rows, gaps: Floats, extra: int) -> tuple[Rows, Floats]:
        """Candidates and features of the session model, two columns of the encoder's, and `extra` of its rows."""
        rows, gaps = rows[-LAST_EVENTS:], gaps[-LAST_EVENTS:]
        found, known = session_candidates(self.sources, rows, gaps)
        scores = self.vectors @ self.encoder.encode(rows, gaps, np.full(len(rows), kind_codes([CLICK])[0]))
        if extra and len(found):
            best = np.argpartition(-scores, extra)[:extra]
            fresh = best[~np.isin(best, found) & (best != rows[-1])].astype(np.int32)
            known = np.concatenate([known, self._untold(fresh, known[0])])
            found = np.concatenate([found, fresh])
        if not len(found):
            return found, np.zeros((0, len(FEATURES) + 2), np.float32)
        mine = scores[found]
        place = np.empty(len(found), np.float32)
        place[np.argsort(-mine, kind="stable")] = 1.0 / np.arange(1, len(found) + 1)
        return found, np.column_stack([known, mine - mine.max(), place]).astype(np.float32)

    def _untold(self, rows: Rows, like: Floats) -> Floats:
        """Features of items that no source of the session model names."""
        known = np.zeros((len(rows), len(FEATURES)), np.float32)
        clicks, recent = self.sources.item_clicks[rows], self.sources.recent_clicks[rows]
        for column, values in zip(UNTOUCHED, (np.log1p(clicks), np.log1p(recent), recent / (clicks + 1)), strict=True):
            known[:, column] = values
        known[:, OF_THE_SESSION] = like[list(OF_THE_SESSION)]
        known[:, AGO] = np.nan
        return known


def rank_figures(earlier: Sight, later: Sight, held: Sessions, world: World) -> list[Figure]:
    """Trees without the encoder, with its score, and with its score and its candidates; each on the same steps."""
    plain, scored, wider = ((0, len(FEATURES)), (0, len(FEATURES) + 2), (EXTRA, len(FEATURES) + 2))
    names = {"trees alone": plain, "trees with the GRU's score": scored, "trees with its score and candidates": wider}
    reached = {name: _reached(earlier, later, held, world, *how) for name, how in names.items()}
    reference = reached["trees alone"]
    figures = []
    for name, found in reached.items():
        for what, one, other in (
            (f"MRR@{SHORT}", found, reference),
            (f"HR@{SHORT}", (found > 0).astype(float), (reference > 0).astype(float)),
        ):
            low, high = interval(one - other, world.steps)
            beside = f"{other.mean():.4f}, difference {low:+.3f} to {high:+.3f}"
            figures.append(
                Figure(f"{what}, {name}", f"{one.mean():.4f}", beside, float(one.mean() / other.mean()), "reported")
            )
    return figures


def _reached(earlier: Sight, later: Sight, held: Sessions, world: World, extra: int, width: int) -> NDArray[np.float64]:
    trees = _trees(earlier, held, extra, width)
    out = np.zeros(len(world.steps.wanted))
    for place, (seen, at) in enumerate(zip(world.steps.seen, world.steps.seen_at, strict=True)):
        found, known = later.candidates(seen, time_gaps(at), extra)
        if len(found):
            order = np.lexsort((found, -trees.predict(known[:, :width], num_threads=1)))
            for hit in np.flatnonzero(found[order][:SHORT] == world.steps.wanted[place]):
                out[place] = 1.0 / (1 + hit)
    return out


def _trees(sight: Sight, held: Sessions, extra: int, width: int) -> Any:
    """LightGBM as models.session_training fits it."""
    import lightgbm as lgb

    features, labels, sizes = [], [], []
    for session in reversed(range(len(held))):
        clicks = slice(held.starts[session], held.starts[session + 1])
        rows, gaps = held.item_rows[clicks], time_gaps(held.clicked_at[clicks])
        for seen in range(1, min(len(rows), EXAMPLES_A_SESSION)):
            found, known = sight.candidates(rows[:seen], gaps[:seen], extra)
            label = found == rows[seen]
            if label.any():
                features.append(known[:, :width])
                labels.append(label.astype(np.int8))
                sizes.append(len(found))
    like = SessionParameters()
    options = {
        "objective": "lambdarank",
        "num_leaves": like.leaves,
        "learning_rate": like.learning_rate,
        "min_data_in_leaf": like.least_rows_a_leaf,
        "lambdarank_truncation_level": 20,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "seed": like.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lgb.Dataset(np.concatenate(features), np.concatenate(labels), group=sizes)
    return lgb.train(options, data, num_boost_round=like.trees)

"""Fit the session model: sources from earlier sessions, trees from what came next in later ones, sources from all."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput
from models.session_features import FEATURES, SessionSources, session_candidates
from models.session_graph import build_graph
from models.session_model import SessionModel
from models.session_neighbours import index_sessions
from models.sessions import Sessions, time_gaps

RECENT_SECONDS = 86_400.0  # in which a click comes to count 1 / e
EXAMPLES_A_SESSION = 30  # first clicks of a long one


@dataclass(frozen=True, slots=True)
class SessionParameters:
    """What a fit depends on besides its data: `held_share` of the sessions, the most recent, teach the trees."""

    held_share: float = 0.125
    most_examples: int = 20_000
    trees: int = 100
    leaves: int = 31
    learning_rate: float = 0.07
    least_rows_a_leaf: int = 100
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows [n] of candidates: features, whether it was the next click, and how many rows each click has, in order."""

    features: NDArray[np.float32]
    labels: NDArray[np.int8]
    group_sizes: NDArray[np.int64]


def fit_session_model(
    sessions: Sessions, item_count: int, parameters: SessionParameters = SessionParameters()
) -> SessionModel:
    """Fit on sessions over `item_count` items; the same sessions give the same model."""
    held = len(sessions) - max(1, round(parameters.held_share * len(sessions)))
    if held < 1:
        raise BadInput(f"{len(sessions)} sessions were given to the session model; it takes two at least")
    examples = collect_examples(
        session_sources(sessions.part(0, held), item_count),
        sessions.part(held, len(sessions)),
        most=parameters.most_examples,
    )
    return _counted(_train_trees(examples, parameters), sessions, item_count, len(examples.group_sizes))


def recount(model: SessionModel, sessions: Sessions) -> SessionModel:
    """The model's trees over sources that are counted from these sessions, which are over the same items."""
    counted = _counted(model.model_text, sessions, len(model.sources.item_clicks), int(model.figures["examples"]))
    return replace(counted, item_ids=model.item_ids)


def _counted(model_text: str, sessions: Sessions, item_count: int, examples: int) -> SessionModel:
    sources = session_sources(sessions, item_count)
    popular = np.lexsort((-sources.item_clicks, -sources.recent_clicks)).astype(np.int32)
    figures = {"sessions": len(sessions), "clicks": len(sessions.item_rows), "examples": examples}
    return SessionModel(sources, popular, model_text, figures)


def session_sources(sessions: Sessions, item_count: int) -> SessionSources:
    """Everything that is counted from past sessions."""
    age = (sessions.clicked_at.max(initial=0) - sessions.clicked_at) / RECENT_SECONDS
    clicks = np.bincount(sessions.item_rows, minlength=item_count)
    recent = np.bincount(sessions.item_rows, weights=np.exp(-age), minlength=item_count)
    return SessionSources(
        index_sessions(sessions, item_count),
        build_graph(sessions, item_count),
        clicks.astype(np.float32),
        recent.astype(np.float32),
    )


def collect_examples(sources: SessionSources, sessions: Sessions, *, most: int) -> Examples:
    """Candidates after each click of `sessions` whose next click is one of them, from the newest session back."""
    features, labels, sizes = [], [], []
    for session in reversed(range(len(sessions))):
        clicks = slice(sessions.starts[session], sessions.starts[session + 1])
        rows, gaps = sessions.item_rows[clicks], time_gaps(sessions.clicked_at[clicks])
        for seen in range(1, min(len(rows), EXAMPLES_A_SESSION)):
            found, known = session_candidates(sources, rows[:seen], gaps[:seen])
            label = found == rows[seen]
            if label.any():
                features.append(known)
                labels.append(label.astype(np.int8))
                sizes.append(len(found))
        if len(sizes) >= most:
            break
    if not sizes:
        raise BadInput("no click of the newest sessions was on an item that earlier ones lead to; give more sessions")
    return Examples(np.concatenate(features), np.concatenate(labels), np.array(sizes, np.int64))


def _train_trees(examples: Examples, parameters: SessionParameters) -> str:
    import lightgbm as lgb

    options: dict[str, Any] = {
        "objective": "lambdarank",
        "num_leaves": parameters.leaves,
        "learning_rate": parameters.learning_rate,
        "min_data_in_leaf": min(parameters.least_rows_a_leaf, max(1, len(examples.labels) // 100)),
        "lambdarank_truncation_level": 20,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "seed": parameters.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lgb.Dataset(
        examples.features, examples.labels, group=examples.group_sizes, feature_name=list(FEATURES), free_raw_data=True
    )
    return str(lgb.train(options, data, num_boost_round=parameters.trees).model_to_string())

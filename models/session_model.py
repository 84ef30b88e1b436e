"""The next item of a live session: what past sessions say of it, weighed by small trees; from one click on."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput, CorruptData
from models.bundle import read_bundle, write_bundle
from models.scorers import Scorer
from models.session_features import FEATURES, SessionSources, session_candidates
from models.session_graph import SessionGraph
from models.session_neighbours import SessionNeighbours

MADE_BY = "python -m headrace train"
MODEL_FILE, NAMES_FILE = "model.txt", "names.json"
FEATURE_NAMES = "feature_order"


@dataclass(frozen=True, slots=True)
class SessionModel:
    """`model_text` are LightGBM's trees; `popular_rows` int32, distinct rows by recent clicks, best first.

    `item_ids` are what the rows stand for, ascending; empty where the caller knows them.
    """

    sources: SessionSources
    popular_rows: NDArray[np.int32]
    model_text: str
    figures: Mapping[str, float | int | str]
    item_ids: tuple[str, ...] = ()

    def save(self, folder: Path, notes: Mapping[str, Any] | None = None) -> str:
        """Write the model into `folder` and return its digest; `notes` join the manifest."""

        def write_files(partial: Path) -> None:
            for name, array in _arrays(self).items():
                np.save(partial / f"{name}.npy", array, allow_pickle=False)
            (partial / MODEL_FILE).write_bytes(self.model_text.encode())
            (partial / NAMES_FILE).write_text(json.dumps(self.item_ids, ensure_ascii=False), encoding="utf-8")

        own_notes = {"figures": dict(self.figures), FEATURE_NAMES: FEATURES}
        return write_bundle(folder, write_files, {**(notes or {}), **own_notes})

    @classmethod
    def load(cls, folder: Path) -> "SessionModel":
        """Read a model whose digests hold and whose features are today's; MissingInput or CorruptData otherwise."""
        files = [*(f"{name}.npy" for name in ARRAYS), MODEL_FILE, NAMES_FILE]
        manifest, contents = read_bundle(folder, files, made_by=MADE_BY)
        if manifest.get(FEATURE_NAMES) != list(FEATURES):
            raise CorruptData(f"{folder} was trained on other session features than this version's; run {MADE_BY}")
        arrays: dict[str, Any] = {
            name: np.load(io.BytesIO(contents[f"{name}.npy"]), allow_pickle=False) for name in ARRAYS
        }
        sources = SessionSources(
            SessionNeighbours(**{name: arrays[name] for name in NEIGHBOUR_ARRAYS}),
            SessionGraph(**{name: arrays[f"graph_{name}"] for name in GRAPH_ARRAYS}),
            *(arrays[name] for name in CLICK_ARRAYS),
        )
        names = tuple(json.loads(contents[NAMES_FILE]))
        return cls(sources, arrays["popular_rows"], contents[MODEL_FILE].decode(), manifest["figures"], names)


NEIGHBOUR_ARRAYS = tuple(field.name for field in fields(SessionNeighbours))
GRAPH_ARRAYS = tuple(field.name for field in fields(SessionGraph))
CLICK_ARRAYS = ("item_clicks", "recent_clicks")
ARRAYS = (*NEIGHBOUR_ARRAYS, *(f"graph_{name}" for name in GRAPH_ARRAYS), *CLICK_ARRAYS, "popular_rows")


def next_items(
    model: SessionModel, scorer: Scorer, rows: NDArray[np.int32], gaps: NDArray[np.float32], *, count: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Up to `count` items that may be clicked next, int32, and their scores, float32; best first, ties by row.

    `rows` are the items of the session, oldest first, -1 where unknown; `gaps` the seconds before each click. Where
    past sessions know too little, popular items follow, each scored below the one before. `scorer` runs the model's
    trees. The last known item is never among them.
    """
    found, scores = foretell(model, scorer, rows, gaps, count=count)
    return _filled(model, found, scores, last=rows[rows >= 0][-1:], count=count)


def foretell(
    model: SessionModel, scorer: Scorer, rows: NDArray[np.int32], gaps: NDArray[np.float32], *, count: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """What past sessions say alone, as `next_items` gives it; fewer, or nothing, where they know too little."""
    if len(rows) != len(gaps):
        raise BadInput(f"a session came with {len(rows)} items and {len(gaps)} time gaps; give one gap a click")
    if rows.max(initial=-1) >= len(model.sources.item_clicks):
        raise BadInput(f"a session holds item row {rows.max()} of {len(model.sources.item_clicks)} items")
    known = rows >= 0
    found, scores = _scored(model, scorer, rows[known], gaps[known])
    order = np.lexsort((found, -scores))[:count]
    return found[order], scores[order]


def _scored(
    model: SessionModel, scorer: Scorer, rows: NDArray[np.int32], gaps: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    if not len(rows):
        return rows, gaps
    found, features = session_candidates(model.sources, rows, gaps)
    if not len(found):
        return found, np.zeros(0, np.float32)
    return found, scorer.score(features).astype(np.float32)


def _filled(
    model: SessionModel,
    found: NDArray[np.int32],
    scores: NDArray[np.float32],
    *,
    last: NDArray[np.int32],
    count: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    missing = count - len(found)
    if missing <= 0:
        return found, scores
    head = model.popular_rows[: missing + len(found) + 1]
    fillers = head[~np.isin(head, np.concatenate([found, last]))][:missing]
    lowest = float(scores.min(initial=0.0))
    below = lowest - np.arange(1, len(fillers) + 1, dtype=np.float32)
    return np.concatenate([found, fillers]), np.concatenate([scores, below]).astype(np.float32)


def _arrays(model: SessionModel) -> dict[str, NDArray[Any]]:
    neighbours, graph = model.sources.neighbours, model.sources.graph
    return {
        **{name: getattr(neighbours, name) for name in NEIGHBOUR_ARRAYS},
        **{f"graph_{name}": getattr(graph, name) for name in GRAPH_ARRAYS},
        **{name: getattr(model.sources, name) for name in CLICK_ARRAYS},
        "popular_rows": model.popular_rows,
    }

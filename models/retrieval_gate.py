"""Which index serves a catalogue: exact unless a faster one proves, with real exclusions, that it loses nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput
from models.retrieval_index import CELLS, EXACT, GRAPH, RetrievalIndex, build_index


@dataclass(frozen=True, slots=True)
class RetrievalLimits:
    """When a faster index is tried and what it must prove.

    `exact_items`: up to so many an exact search is fast enough. `norm_spread`: standard deviation of the norms over
    their mean, above which a graph over inner products is known to fail (recall .52 to .81) and is not even built.
    """

    exact_items: int = 200_000
    norm_spread: float = 0.05
    depth: int = 500
    least_recall: float = 0.99


@dataclass(frozen=True, slots=True)
class Probes:
    """Users to measure with: vectors float32 [users, d], and for each the item rows that are closed to them."""

    queries: NDArray[np.float32]
    excluded: Sequence[NDArray[np.int32]]

    def __post_init__(self) -> None:
        if len(self.queries) != len(self.excluded):
            raise BadInput(f"{len(self.queries)} probes came with {len(self.excluded)} lists of exclusions")


@dataclass(frozen=True, slots=True)
class RetrievalFigures:
    """What was chosen, why, and the recall of what serves: for the manifest."""

    kind: str
    reason: str
    items: int
    norm_spread: float
    depth: int
    probes: int
    recall: float

    def as_figures(self) -> dict[str, float | int | str]:
        """Rounded, for manifests and logs."""
        return {name: round(value, 5) if isinstance(value, float) else value for name, value in asdict(self).items()}


def choose_index(
    vectors: NDArray[np.float32],
    probes: Probes,
    limits: RetrievalLimits = RetrievalLimits(),
    rows: NDArray[np.int32] | None = None,
) -> tuple[RetrievalIndex, RetrievalFigures]:
    """Build the index that shall serve, over some rows or all, and measure its recall against float32, exact search."""
    count = len(vectors) if rows is None else len(rows)
    spread = norm_spread(vectors if rows is None else vectors[rows])
    kinds: list[str] = []
    if count <= limits.exact_items:
        reason = f"exact up to {limits.exact_items} items"
    elif len(probes.queries) == 0:
        reason = "exact, for there was no user to measure another with"
    else:
        reason, kinds = "", [CELLS, GRAPH] if spread <= limits.norm_spread else [CELLS]
    for kind in (*kinds, EXACT):
        index = build_index(vectors, kind, rows)
        recall = measure_recall(index, probes, limits.depth)
        if kind == EXACT or recall >= limits.least_recall:
            break
        reason += f"{kind} refused at recall {recall:.4f}, {limits.least_recall} is the least; "
    reason += "" if reason.startswith(EXACT) else f"{index.kind} at recall {recall:.4f}"
    return index, RetrievalFigures(index.kind, reason, count, spread, limits.depth, len(probes.queries), recall)


def measure_recall(index: RetrievalIndex, probes: Probes, depth: int) -> float:
    """Mean share of the `depth` best open items, by exact search in float32, that is found; 1 without probes."""
    shares = [
        _recall_one(index, query, excluded, depth)
        for query, excluded in zip(probes.queries, probes.excluded, strict=True)
    ]
    return float(np.mean(shares)) if shares else 1.0


def norm_spread(vectors: NDArray[np.float32]) -> float:
    """Standard deviation of the norms over their mean, vectors of zeros left out; 0 when nothing is left."""
    norms = np.linalg.norm(vectors, axis=1)
    norms = norms[norms > 0]
    return float(norms.std() / norms.mean()) if len(norms) else 0.0


def _recall_one(index: RetrievalIndex, query: NDArray[np.float32], excluded: NDArray[np.int32], depth: int) -> float:
    closed = np.zeros(len(index.vectors), bool)
    if index.rows is not None:
        closed[:] = True
        closed[index.rows] = False
    closed[excluded] = True
    truth = index.vectors @ query
    truth[closed] = -np.inf
    depth = min(depth, len(truth) - int(closed.sum()))
    if depth <= 0:
        return 1.0
    cut = np.partition(truth, len(truth) - depth)[len(truth) - depth]
    found, _ = index.search(query, depth, closed)
    return float(np.count_nonzero(truth[found] >= cut) / depth)  # of equals at the cut any will do

"""The gate of a new ranker: compared user by user with the previous one and with popularity, before it may serve."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.errors import GateRefused
from contracts.features import FEATURE_ORDER
from models.evaluation_intervals import estimate

Scores = NDArray[np.float64]
POPULARITY = FEATURE_ORDER.index("item_count_30d")


@dataclass(frozen=True, slots=True)
class GateSet:
    """Rows [n] of the gate window: features, grades, and how many rows each user has, in order."""

    features: NDArray[np.float32]
    labels: NDArray[np.int32]
    group_sizes: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class GateFigures:
    """NDCG@10 on the gate window, and the paired difference to the previous ranker with its 95 % interval."""

    users: int
    ndcg: float
    ndcg_popularity: float
    ndcg_previous: float
    difference_low: float
    difference_high: float

    def as_figures(self) -> dict[str, float | int | str]:
        """Rounded, for manifests and logs."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


def pass_gate(
    gate_set: GateSet,
    candidate: Callable[[NDArray[np.float32]], Scores],
    previous: Callable[[NDArray[np.float32]], Scores] | None,
) -> GateFigures:
    """Compare, and return the figures; GateRefused tells every rule that the new ranker broke.

    Refused: scores that are not finite; a gate window in which no candidate came true; NDCG below popularity; NDCG
    below the previous ranker's with a 95 % interval of the paired difference that leaves no doubt.
    """
    scores = candidate(gate_set.features)
    if not np.all(np.isfinite(scores)):
        count = np.count_nonzero(~np.isfinite(scores))
        raise GateRefused(f"the new ranker gave {count} scores that are no numbers; the previous one keeps serving")
    new = grouped_ndcg(scores, gate_set)
    if len(new) == 0:
        raise GateRefused(
            f"none of {len(gate_set.group_sizes)} users of the gate window has a candidate that came true, so nothing "
            "can be compared; import more events or widen HEADRACE_LABEL_WINDOW_HOURS; the previous one keeps serving"
        )
    popular = grouped_ndcg(np.nan_to_num(gate_set.features[:, POPULARITY].astype(np.float64)), gate_set)
    old = new if previous is None else grouped_ndcg(previous(gate_set.features), gate_set)
    low, high = paired_interval(new - old)
    figures = GateFigures(len(new), float(new.mean()), float(popular.mean()), float(old.mean()), low, high)
    broken = []
    if figures.ndcg < figures.ndcg_popularity:
        broken.append(f"NDCG@10 {figures.ndcg:.4f} is below popularity's {figures.ndcg_popularity:.4f}")
    if high < 0:
        broken.append(
            f"NDCG@10 {figures.ndcg:.4f} is below the previous ranker's {figures.ndcg_previous:.4f} "
            f"(paired difference {low:.4f} .. {high:.4f} over {figures.users} users)"
        )
    if broken:
        raise GateRefused(f"the new ranker was refused: {'; '.join(broken)}; the previous one keeps serving")
    return figures


def grouped_ndcg(scores: Scores, gate_set: GateSet, k: int = 10) -> NDArray[np.float64]:
    """NDCG@k of each user with a positive row, float64 [users]; ties keep the order of rows."""
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    out, begin = [], 0
    for size in gate_set.group_sizes:
        part = slice(begin, begin + int(size))
        begin += int(size)
        gains = (gate_set.labels[part] > 0).astype(np.float64)
        if not gains.any():
            continue
        ordered = gains[np.argsort(-scores[part], kind="stable")][:k]
        ideal = np.sort(gains)[::-1][:k]
        out.append(ordered @ discounts[: len(ordered)] / (ideal @ discounts[: len(ideal)]))
    return np.array(out)


def paired_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean difference over users; 0 and 0 of nobody."""
    if len(differences) == 0:
        return 0.0, 0.0
    found = estimate(differences)
    return found.low, found.high

"""The next item of a session on real clicks: popularity, co-occurrence, V-SKNN and the session model, in one run.

`python -m benchmarks.sessions [--data FILE] [--cache FOLDER]`. Learns on the parts train and valid and foretells every
click but the first of the sessions of part test; the item on the screen is removed from each list. The file holds
`session_id, item_id, ts, split` (see docs/retrieval.md); without it there is nothing to measure.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.report import ARTIFACTS, Figure, show
from benchmarks.session_rivals import (
    LAST_CLICKS,
    Predict,
    Steps,
    cooccurrence,
    ours,
    popularity,
    session_neighbours,
    steps_of,
)
from models.scorers import make_scorer
from models.session_training import fit_session_model
from models.sessions import Sessions

DATA = Path("..") / "shared" / "data" / "serenade_sessions.parquet"
SAMPLES, SEED = 2_000, 7
GOAL_MRR, GOAL_HIT_RATE, GOAL_MILLISECONDS = 0.339, 0.668, 1.5
LONG_SESSIONS = 200
OURS, NEIGHBOURS, EARLIER = "session model", "V-SKNN", "session model, from part train alone"


@dataclass(frozen=True, slots=True)
class Judged:
    """What one way reached at each step: 1 over the place of the next item, 0 beyond the 20th; CPU a step."""

    reciprocal_ranks: NDArray[np.float64]
    milliseconds: float


def main() -> None:
    """Fit, foretell, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cache", type=Path, default=Path("var") / "compiled")
    options = parser.parse_args()
    if not options.data.exists():
        raise SystemExit(f"{options.data} is not there, so nothing was measured; give a file of sessions with --data")
    parts, item_count = read_parts(options.data)
    past, steps = parts["train+valid"], steps_of(parts["test"])
    begun = time.process_time()
    model = fit_session_model(past, item_count)
    fit_seconds = time.process_time() - begun
    scorer = make_scorer(model, options.cache)
    earlier = fit_session_model(parts["train"], item_count)
    ways = {
        "popularity": popularity(past, item_count),
        "co-occurrence": cooccurrence(past, item_count),
        NEIGHBOURS: session_neighbours(past, item_count),
        OURS: ours(model, scorer),
        EARLIER: ours(earlier, make_scorer(earlier, options.cache)),
    }
    judged = {name: judge(way, steps) for name, way in ways.items()}
    long = long_session_milliseconds(ways[OURS], model.popular_rows)
    show("sessions", _figures(judged, steps, long), _conditions(past, steps, fit_seconds))
    draw(judged, steps)


def read_parts(path: Path) -> tuple[dict[str, Sessions], int]:
    """Sessions of the parts train, train and valid together, and test; and the number of items."""
    table = pq.read_table(path)
    sessions, items, instants = (table[name].to_numpy() for name in ("session_id", "item_id", "ts"))
    split = np.asarray(table["split"].cast("string").to_pylist())
    known, rows = np.unique(items, return_inverse=True)
    wanted = {"train": ("train",), "train+valid": ("train", "valid"), "test": ("test",)}
    masks = {name: np.isin(split, names) for name, names in wanted.items()}
    parts = {
        name: Sessions.of_clicks(sessions[mask], rows[mask].astype(np.int32), instants[mask])
        for name, mask in masks.items()
    }
    return parts, len(known)


def judge(predict: Predict, steps: Steps) -> Judged:
    """Foretell every step."""
    ranks = np.zeros(len(steps.wanted))
    begun = time.process_time()
    lists = [predict(rows, instants) for rows, instants in zip(steps.seen, steps.seen_at, strict=True)]
    spent = time.process_time() - begun
    for place, (found, wanted) in enumerate(zip(lists, steps.wanted, strict=True)):
        hits = np.flatnonzero(found == wanted)
        ranks[place] = 1.0 / (1 + hits[0]) if len(hits) else 0.0
    return Judged(ranks, 1e3 * spent / len(ranks))


def long_session_milliseconds(predict: Predict, popular_rows: NDArray[np.int32]) -> float:
    """Median CPU of a session of 20 clicks on popular items, which have the most neighbours."""
    random = np.random.default_rng(SEED)
    spent = []
    for _ in range(LONG_SESSIONS):
        rows = random.choice(popular_rows[:2_000], LAST_CLICKS, replace=False)
        begun = time.process_time_ns()
        predict(rows, np.arange(LAST_CLICKS) * 30)
        spent.append((time.process_time_ns() - begun) / 1e6)
    return float(np.median(spent))


def interval(values: NDArray[np.float64], steps: Steps) -> tuple[float, float]:
    """95 % bootstrap interval of a mean over steps, whole sessions drawn."""
    random = np.random.default_rng(SEED)
    sums, counts = np.bincount(steps.sessions, weights=values), np.bincount(steps.sessions)
    drawn = random.integers(0, len(sums), (SAMPLES, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _figures(judged: dict[str, Judged], steps: Steps, long: float) -> list[Figure]:
    reference = judged[NEIGHBOURS].reciprocal_ranks
    figures = []
    for name, one in judged.items():
        ranks = one.reciprocal_ranks
        for what, values, rival, goal in (
            ("MRR@20", ranks, reference, GOAL_MRR),
            ("HR@20", (ranks > 0).astype(np.float64), (reference > 0).astype(np.float64), GOAL_HIT_RATE),
        ):
            low, high = interval(values, steps)
            less, more = interval(values - rival, steps)
            judge_it = name == OURS
            figures.append(
                Figure(
                    f"{what}, {name} ({one.milliseconds:.2f} ms CPU a step)",
                    f"{values.mean():.4f} ({low:.3f} to {high:.3f})",
                    f"V-SKNN {rival.mean():.4f}, difference {less:+.3f} to {more:+.3f}",
                    float(values.mean() / rival.mean()),
                    f"> {goal}" if judge_it else "reported",
                    bool(values.mean() > goal) if judge_it else None,
                )
            )
    met = long <= GOAL_MILLISECONDS
    figures.append(
        Figure("CPU, 20 clicks on popular items", f"{long:.2f} ms", "", None, f"<= {GOAL_MILLISECONDS} ms", met)
    )
    return figures


def _conditions(past: Sessions, steps: Steps, fit_seconds: float) -> dict[str, object]:
    return {
        "past sessions": len(past),
        "past clicks": len(past.item_rows),
        "test sessions": len(np.unique(steps.sessions)),
        "steps": len(steps.wanted),
        "CPU seconds of the fit": round(fit_seconds),
    }


def draw(judged: dict[str, Judged], steps: Steps) -> None:
    """MRR@20 by how many clicks were seen, into the artifacts folder."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    seen = np.minimum([len(rows) for rows in steps.seen], 8)
    figure, axes = plt.subplots(figsize=(7, 4))
    for name, one in judged.items():
        axes.plot(
            range(1, 9), [one.reciprocal_ranks[seen == clicks].mean() for clicks in range(1, 9)], "o-", label=name
        )
    axes.set(xlabel="clicks seen (8: eight or more)", ylabel="MRR@20", title="Next item of a session")
    axes.set_ylim(bottom=0)
    axes.legend()
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(ARTIFACTS / "sessions.png", dpi=120, bbox_inches="tight")
    plt.close(figure)


if __name__ == "__main__":
    main()

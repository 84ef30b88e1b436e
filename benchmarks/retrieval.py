"""Retrieval of 500 items with 50 seen ones excluded, from 100,000 and, when asked, from a million.

`python -m benchmarks.retrieval [--million] [--kinds PART …]`. The reference of the same run is a bare product of the
catalogue's matrix with the user's vector, in float32 and on one thread, called in turn with the index. `--million`
leaves the table over kinds of index in a result of its own; `--kinds` takes those whose names hold one of the parts.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, show
from benchmarks.retrieval_world import KINDS, SEEN, SIZE, Built, build_kind, make_users, make_vectors
from models.blas import use_one_thread
from models.retrieval_gate import Probes, choose_index, measure_recall
from models.retrieval_index import RetrievalIndex

ITEMS, MANY_ITEMS, DEPTH = 100_000, 1_000_000, 500
USERS, MANY_USERS, ROUNDS = 200, 50, 5
GOAL_MILLISECONDS, STRETCH_MILLISECONDS = 2.0, 1.2
GOAL_RATIO, STRETCH_RATIO = 3.0, 1.5
GOAL_MANY_MILLISECONDS, STRETCH_MANY_MILLISECONDS, GOAL_RECALL = 10.0, 3.0, 0.95


def main() -> None:
    """Measure the one or the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--kinds", nargs="*", default=[])
    options = parser.parse_args()
    use_one_thread()
    faiss.omp_set_num_threads(1)
    if options.million:
        measure_kinds([kind for kind in KINDS if not options.kinds or any(part in kind for part in options.kinds)])
    else:
        measure_index()


def measure_index() -> None:
    """What serves up to some 200,000 items, beside the bare product."""
    vectors = make_vectors(ITEMS)
    users = make_users(vectors, USERS)
    index, chosen = choose_index(vectors, users)
    cpu, bare_cpu = _alternate(vectors, index, users, clock=time.process_time_ns)
    wall, bare_wall = _alternate(vectors, index, users, clock=time.perf_counter_ns)
    ratio = float(np.quantile(wall, 0.99) / np.quantile(bare_wall, 0.99))
    half = float(np.median(cpu))
    show(
        "retrieval",
        [
            Figure(
                f"CPU, {DEPTH} of {ITEMS:,} with {SEEN} excluded, median",
                f"{half:.2f} ms",
                f"{np.median(bare_cpu):.2f} ms bare product",
                half / float(np.median(bare_cpu)),
                f"<= {GOAL_MILLISECONDS} ms, stretch {STRETCH_MILLISECONDS}",
                half <= GOAL_MILLISECONDS,
            ),
            Figure(
                "p99 of the same, clock on the wall",
                f"{np.quantile(wall, 0.99):.2f} ms",
                f"{np.quantile(bare_wall, 0.99):.2f} ms bare product",
                ratio,
                f"<= {GOAL_RATIO}, stretch {STRETCH_RATIO}",
                ratio <= GOAL_RATIO,
            ),
            Figure(f"recall@{DEPTH} with what users saw excluded", f"{chosen.recall:.5f}", "float32, exact", None, ""),
            *_exclusion_figures(index, users),
        ],
        {"index": chosen.reason, "size": SIZE, "users": USERS, "rounds": ROUNDS},
    )


def measure_kinds(kinds: Sequence[str]) -> None:
    """The table at a million items, all on unit vectors, which favour graphs; what is closed is searched along."""
    vectors = make_vectors(MANY_ITEMS, unit=True)
    users = make_users(vectors, MANY_USERS)
    truth = [_truth(vectors, query, seen) for query, seen in zip(users.queries, users.excluded, strict=True)]
    figures = []
    for kind in kinds:
        built = build_kind(kind, vectors)
        spent, recall = _measure_built(built, users, truth)
        figures.append(
            Figure(
                f"{kind}: CPU of {DEPTH} with {SEEN} excluded",
                f"{spent:.2f} ms, recall {recall:.4f}",
                f"{built.bytes / 1e6:.0f} MB, built in {built.seconds:.0f} s of CPU",
                None,
                f"<= {GOAL_MANY_MILLISECONDS} ms at {GOAL_RECALL}, stretch {STRETCH_MANY_MILLISECONDS}",
                spent <= GOAL_MANY_MILLISECONDS and recall >= GOAL_RECALL,
            )
        )
        print(figures[-1].what, figures[-1].measured, figures[-1].reference, flush=True)
    show("retrieval_million", figures, {"items": MANY_ITEMS, "size": SIZE, "users": MANY_USERS, "vectors": "unit"})


def _alternate(
    vectors: NDArray[np.float32], index: RetrievalIndex, users: Probes, *, clock: Callable[[], int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Milliseconds of each search and of each bare product, called in turn."""
    spent, bare = [], []
    shut = [_closed(len(vectors), seen) for seen in users.excluded]
    for _ in range(ROUNDS):
        for query, closed in zip(users.queries, shut, strict=True):
            spent.append(_milliseconds(clock, index.search, query, DEPTH, closed))
            bare.append(_milliseconds(clock, vectors.dot, query))
    return np.array(spent), np.array(bare)


def _exclusion_figures(index: RetrievalIndex, users: Probes) -> list[Figure]:
    """How the cost grows with what is excluded, and for an allow-list."""
    random = np.random.default_rng(1)
    figures = []
    for count in (1_000, 10_000, ITEMS - 1_000):
        shut = _closed(ITEMS, random.choice(ITEMS, count, replace=False).astype(np.int32))
        spent = [_milliseconds(time.process_time_ns, index.search, query, DEPTH, shut) for query in users.queries]
        probes = Probes(users.queries[:20], [np.flatnonzero(shut).astype(np.int32)] * 20)
        figures.append(
            Figure(
                f"CPU with {count:,} excluded, median",
                f"{np.median(spent):.2f} ms",
                f"recall {measure_recall(index, probes, DEPTH):.5f}",
                None,
                "reported",
            )
        )
    return figures


def _measure_built(built: Built, users: Probes, truth: Sequence[set[int]]) -> tuple[float, float]:
    """Median CPU in milliseconds, and mean recall."""
    spent, recalls = [], []
    for query, seen, wanted in zip(users.queries, users.excluded, truth, strict=True):
        spent.append(_milliseconds(time.process_time_ns, built.search, query, DEPTH + SEEN))
        found = built.search(query, DEPTH + SEEN)
        recalls.append(len(wanted & set(found[~np.isin(found, seen)][:DEPTH].tolist())) / DEPTH)
    return float(np.median(spent)), float(np.mean(recalls))


def _truth(vectors: NDArray[np.float32], query: NDArray[np.float32], seen: NDArray[np.int32]) -> set[int]:
    scores = vectors @ query
    scores[seen] = -np.inf
    return set(np.argpartition(-scores, DEPTH)[:DEPTH].tolist())


def _closed(items: int, seen: NDArray[np.int32]) -> NDArray[np.bool_]:
    closed = np.zeros(items, bool)
    closed[seen] = True
    return closed


def _milliseconds(clock: Callable[[], int], call: Callable[..., Any], *arguments: Any) -> float:
    begun = clock()
    call(*arguments)
    return (clock() - begun) / 1e6


if __name__ == "__main__":
    main()

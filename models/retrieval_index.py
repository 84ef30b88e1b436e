"""The best items for a vector by inner product, nothing closed among them and never fewer than are open.

Exact over half-precision vectors; or over the nearest of some cells of them; or by a navigable graph (Malkov and
Yashunin, Efficient and Robust Approximate Nearest Neighbor Search Using Hierarchical Navigable Small World Graphs,
2018). What is found is scored
again in float32, one query at a time, so that a batch and a single query give the same bytes.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput, CorruptData

EXACT, CELLS, GRAPH = "exact", "cells", "graph"
KINDS = (EXACT, CELLS, GRAPH)
FEW_OPEN = 4_096  # so many are scored without an index
MOST_SPARE = 500  # closed items that are searched along and then left out: cheaper than asking about each item
MOST_CELLS = 1_024  # the square root of the number of items, up to this
VISITED_SHARE = 0.25  # of the cells
TRAINED_ON = 100  # vectors a cell is placed with
GRAPH_LINKS = 32
GRAPH_BUILD_BREADTH = 200
GRAPH_SEARCH_BREADTH = 2  # candidates kept while searching, a result asked for

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RetrievalIndex:
    """n vectors, float32 [n, d], and faiss's index over some of them; those are open unless a query closes them.

    `rows` int32, ascending, are the items that the index is over; None is all of them.
    """

    kind: str
    vectors: NDArray[np.float32]
    faiss_index: Any
    rows: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.vectors) if self.rows is None else len(self.rows)

    def search(
        self, query: NDArray[np.float32], count: int, closed: Bools | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows int64 of the `count` best open items for a query [d], and their scores; best first, ties by row.

        Fewer only when no more are open. `closed` bool [n] names the items that must not appear.
        """
        if query.shape != self.vectors.shape[1:]:
            raise BadInput(f"a query has shape {query.shape}; this index takes {self.vectors.shape[1:]}")
        closed_count = 0 if closed is None else int(np.count_nonzero(closed))
        if closed_count <= MOST_SPARE and len(self) - closed_count > max(FEW_OPEN, count):
            rows = self._rows_at(self._nearest(query, count + closed_count))
            rows = rows if closed is None else rows[~closed[rows]]
            if len(rows) >= count:  # a graph may end early
                return self._best(query, rows, count)
        shut = np.zeros(len(self), bool) if closed is None else closed if self.rows is None else closed[self.rows]
        return self._best(query, self._rows_at(self._among_open(query, count, shut)), count)

    def search_many(
        self, queries: NDArray[np.float32], count: int, closed: list[Bools | None]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """`search` for each query [q, d] with what is closed to it."""
        return [self.search(query, count, shut) for query, shut in zip(queries, closed, strict=True)]

    def score(self, query: NDArray[np.float32], rows: NDArray[Any]) -> NDArray[np.float32]:
        """Inner products float32 of a query with some items; an item's is the same whatever stands beside it."""
        return np.asarray(np.einsum("ij,j->i", self.vectors[rows], query), np.float32)

    def to_bytes(self) -> bytes:
        """What `open_index` reads; the vectors themselves are not part of it."""
        return bytes(_faiss().serialize_index(self.faiss_index))

    def _among_open(self, query: NDArray[np.float32], count: int, closed: Bools) -> NDArray[np.int64]:
        """Places in the index among which the best open ones are; `closed` is by place."""
        open_count = len(self) - int(np.count_nonzero(closed))
        if open_count <= max(FEW_OPEN, count):
            return np.flatnonzero(~closed)
        return self._nearest_open(query, count, closed)

    def _rows_at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return places if self.rows is None else self.rows[places].astype(np.int64)

    def _best(
        self, query: NDArray[np.float32], rows: NDArray[np.int64], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        scores = self.score(query, rows)
        order = np.lexsort((rows, -scores))[:count]
        return rows[order], scores[order]

    def _nearest(self, query: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        if self.kind != GRAPH:
            _, rows = self.faiss_index.search(query[None], count)
        else:
            breadth = _faiss().SearchParametersHNSW(efSearch=GRAPH_SEARCH_BREADTH * count)
            _, rows = self.faiss_index.search(query[None], count, params=breadth)
        return _without_pads(rows[0])

    def _nearest_open(self, query: NDArray[np.float32], count: int, closed: Bools) -> NDArray[np.int64]:
        """Exact for any kind: a graph loses its way among many closed items, above all when they are the nearest."""
        faiss = _faiss()
        selector = faiss.IDSelectorBitmap(np.packbits(~closed, bitorder="little"))
        flat, asked = self.faiss_index, faiss.SearchParameters(sel=selector)
        if self.kind == GRAPH:
            flat = faiss.downcast_index(flat.storage)
        elif self.kind == CELLS:
            asked = faiss.SearchParametersIVF(sel=selector, nprobe=flat.nlist)
        _, rows = flat.search(query[None], count, params=asked)
        return _without_pads(rows[0])


def build_index(
    vectors: NDArray[np.float32], kind: str = EXACT, rows: NDArray[np.int32] | None = None
) -> RetrievalIndex:
    """Build an index of a kind over float32 [n, d], or over some of its rows."""
    if kind not in KINDS:
        raise BadInput(f"an index of kind {kind!r} was asked for; there is {', '.join(KINDS[:-1])} and {KINDS[-1]}")
    contiguous = np.ascontiguousarray(vectors, np.float32)
    held = contiguous if rows is None else contiguous[rows]
    index = _empty(kind, *held.shape)
    index.train(held)
    index.add(held)
    return RetrievalIndex(kind, contiguous, index, rows)


def open_index(vectors: NDArray[np.float32], content: bytes, rows: NDArray[np.int32] | None = None) -> RetrievalIndex:
    """An index from `to_bytes`, whose digest the caller has checked: faiss does not withstand strange bytes."""
    faiss = _faiss()
    index = faiss.deserialize_index(np.frombuffer(content, np.uint8))
    expected = (len(vectors) if rows is None else len(rows), vectors.shape[1])
    if (index.ntotal, index.d) != expected:
        raise CorruptData(f"an index over {(index.ntotal, index.d)} came with vectors {expected}; make both again")
    kinds = {faiss.IndexScalarQuantizer: EXACT, faiss.IndexIVFScalarQuantizer: CELLS, faiss.IndexHNSWSQ: GRAPH}
    kind = kinds.get(type(index))
    if kind is None:
        raise CorruptData(f"an index came as {type(index).__name__}; this version knows {', '.join(KINDS)}")
    return RetrievalIndex(kind, np.ascontiguousarray(vectors, np.float32), index, rows)


def _empty(kind: str, count: int, size: int) -> Any:
    """An untrained index of a kind for `count` vectors of `size` dimensions."""
    faiss = _faiss()
    half, product = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    if kind == EXACT:
        return faiss.IndexScalarQuantizer(size, half, product)
    if kind == GRAPH:
        graph = faiss.IndexHNSWSQ(size, half, GRAPH_LINKS, product)
        graph.hnsw.efConstruction = GRAPH_BUILD_BREADTH
        return graph
    cells = max(1, min(MOST_CELLS, math.isqrt(count)))
    parted = faiss.index_factory(size, f"IVF{cells},SQfp16", product)
    parted.cp.max_points_per_centroid = TRAINED_ON
    parted.cp.min_points_per_centroid = 1
    parted.nprobe = math.ceil(cells * VISITED_SHARE)
    return parted


def _faiss() -> Any:
    """faiss, on one thread; imported when first used, for its threads do not survive a fork."""
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss  # as Any: its published types lack half of it


def _without_pads(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """faiss fills what it did not find with -1."""
    return rows[rows >= 0]

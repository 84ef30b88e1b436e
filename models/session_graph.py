"""Which items follow, precede and resemble which in sessions: one sparse graph with several strengths an edge."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, vstack

from models.sessions import Sessions

NEXT, FORWARD, BACKWARD, SHARE, COSINE, WALK_TWO, WALK_THREE = range(7)
CHANNELS = 7
REACH = 10  # clicks apart at most
BACKWARD_SHARE = 0.5  # of a rule against the direction of time in a walk
WALK_WIDTH = 30  # strongest edges that a walk takes from an item
WALK_FADE = 0.5  # what one more step is worth where edges are chosen
EDGES_AN_ITEM = 100
BLOCK = 2_000  # rows multiplied at a time: bounds memory


@dataclass(frozen=True, slots=True)
class SessionGraph:
    """Edges of m items: those of item i lie from `starts[i]` to `starts[i + 1]`.

    `starts` int64 [m + 1], `neighbours` int32 [edges], `strengths` float32 [edges, CHANNELS]: clicked right after,
    clicked within ten clicks after and before (1 over the distance), the share of the two together among all edges of
    the item, cosine over sessions, and the chance of a walk of two and of three steps.
    """

    starts: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    strengths: NDArray[np.float32]


def build_graph(sessions: Sessions, item_count: int) -> SessionGraph:
    """Count rules and cosines over the sessions, walk the graph, and keep the strongest edges of each item."""
    following = _rules(sessions, item_count, 1)
    forward = _rules(sessions, item_count, REACH)
    backward = forward.T.tocsr()
    share = _normalise(forward + BACKWARD_SHARE * backward)
    step = _strongest(share, WALK_WIDTH)
    cosine = _cosines(sessions, item_count)
    parts = [
        _block(slice(low, low + BLOCK), step, (following, forward, backward, share, cosine))
        for low in range(0, item_count, BLOCK)
    ]
    counts = np.concatenate([np.zeros(1, np.int64), *(part[0] for part in parts)])
    return SessionGraph(
        np.cumsum(counts),
        np.concatenate([np.zeros(0, np.int32), *(part[1] for part in parts)]),
        np.concatenate([np.zeros((0, CHANNELS), np.float32), *(part[2] for part in parts)]),
    )


def _block(
    rows: slice, step: csr_matrix, known: tuple[csr_matrix, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Edge counts, neighbours and strengths of some items."""
    channels = [matrix[rows] for matrix in known]
    two = _without_self(channels[SHARE] @ step, rows.start)
    three = _without_self(_strongest(two, EDGES_AN_ITEM) @ step, rows.start)
    channels += [two, three]
    chosen = _strongest(channels[SHARE] + WALK_FADE * two + WALK_FADE**2 * three, EDGES_AN_ITEM)
    chosen.sort_indices()
    places = np.repeat(np.arange(chosen.shape[0]), np.diff(chosen.indptr))
    strengths = np.zeros((len(places), CHANNELS), np.float32)
    if len(places):  # SciPy picks nothing as something else than an array
        for channel, matrix in enumerate(channels):
            strengths[:, channel] = np.asarray(matrix[places, chosen.indices]).ravel()
    return np.diff(chosen.indptr).astype(np.int64), chosen.indices.astype(np.int32), strengths


def _rules(sessions: Sessions, item_count: int, reach: int) -> csr_matrix:
    """1 over the distance, summed over all pairs of clicks at most `reach` apart, rows clicked first."""
    codes, rows = sessions.codes(), sessions.item_rows
    total = csr_matrix((item_count, item_count))
    for distance in range(1, reach + 1):
        first, second = rows[:-distance], rows[distance:]
        pairs = (codes[:-distance] == codes[distance:]) & (first != second)
        weights = np.full(int(pairs.sum()), 1.0 / distance)
        total = total + csr_matrix((weights, (first[pairs], second[pairs])), shape=total.shape)
    return total.tocsr()


def _cosines(sessions: Sessions, item_count: int) -> csr_matrix:
    """Cosine of items over sessions, in which long sessions count less, on pairs at most REACH clicks apart."""
    codes, rows = sessions.codes(), sessions.item_rows
    lengths = np.diff(sessions.starts)
    worth = 1.0 / np.log2(1.0 + np.maximum(lengths, 1))
    clicks = csr_matrix((np.ones(len(rows)), (codes, rows)), shape=(len(sessions), item_count))
    clicks.data[:] = 1.0  # an item twice in a session is one
    scale = diags(1.0 / np.sqrt(np.maximum(np.asarray(clicks.sum(axis=0)).ravel(), 1.0)))
    near = _rules(sessions, item_count, REACH)
    near = (near + near.T).tocsr()
    near.data[:] = 1.0
    blocks = [
        ((clicks.T.tocsr()[low : low + BLOCK] @ diags(worth)) @ clicks).multiply(near[low : low + BLOCK])
        for low in range(0, item_count, BLOCK)
    ]
    return (scale @ vstack(blocks) @ scale).tocsr()


def _normalise(matrix: csr_matrix) -> csr_matrix:
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    return (diags(1.0 / np.maximum(sums, 1e-12)) @ matrix).tocsr()


def _without_self(matrix: csr_matrix, first_row: int) -> csr_matrix:
    """The rows of a square matrix that begin with `first_row`, without its diagonal."""
    rows = np.repeat(np.arange(first_row, first_row + matrix.shape[0]), np.diff(matrix.indptr))
    return _kept(matrix, rows != matrix.indices)


def _strongest(matrix: csr_matrix, width: int) -> csr_matrix:
    """The `width` largest entries of each row, ties by column."""
    kept = np.ones(matrix.nnz, bool)
    for row in np.flatnonzero(np.diff(matrix.indptr) > width):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        values, columns = matrix.data[part], matrix.indices[part]
        cut = np.partition(values, len(values) - width)[len(values) - width]
        among = values > cut
        equal = np.flatnonzero(values == cut)
        among[equal[np.argsort(columns[equal])][: width - np.count_nonzero(among)]] = True
        kept[part] = among
    return _kept(matrix, kept)


def _kept(matrix: csr_matrix, kept: NDArray[np.bool_]) -> csr_matrix:
    """Some entries of a matrix."""
    until = np.concatenate([[0], np.cumsum(kept)])
    return csr_matrix((matrix.data[kept], matrix.indices[kept], until[matrix.indptr]), shape=matrix.shape)

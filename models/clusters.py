"""Taste clusters: users grouped by the direction of their factors."""

import numpy as np
from numpy.typing import NDArray

from models.blas import use_one_thread

SWEEPS = 25
SAMPLE = 20_000


def taste_clusters(
    user_factors: NDArray[np.float32], k: int, seed: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Spherical k-means: labels int32 [users] and unit centroids float32 [min(k, users), d]; same seed, same labels.

    Lloyd's algorithm (1982) on unit vectors, centroids learned on at most SAMPLE users. Clusters are numbered by
    falling size on that sample. Users without factors (zero vectors) get label -1.
    """
    use_one_thread()
    norms = np.linalg.norm(user_factors, axis=1)
    known = np.flatnonzero(norms > 0)
    unit = user_factors[known] / norms[known, None]
    random = np.random.default_rng(seed)
    sample = unit if len(unit) <= SAMPLE else unit[np.sort(random.choice(len(unit), SAMPLE, replace=False))]
    centroids = _centroids(sample, min(k, len(sample)), random)
    sizes = np.bincount(_nearest(sample, centroids), minlength=len(centroids))
    centroids = centroids[np.argsort(-sizes, kind="stable")]
    labels = np.full(len(user_factors), -1, np.int32)
    labels[known] = _nearest(unit, centroids)
    return labels, centroids


def _centroids(unit: NDArray[np.float32], k: int, random: np.random.Generator) -> NDArray[np.float32]:
    centroids = unit[np.sort(random.choice(len(unit), k, replace=False))] if k else unit[:0]
    for _ in range(SWEEPS if k else 0):
        labels = _nearest(unit, centroids)
        sums = np.zeros_like(centroids)
        np.add.at(sums, labels, unit)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        moved = np.where(norms > 0, sums / np.maximum(norms, 1e-12), centroids).astype(np.float32)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids


def _nearest(unit: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.int64]:
    if not len(centroids):
        return np.zeros(len(unit), np.int64)
    nearest: NDArray[np.int64] = np.argmax(np.round(unit @ centroids.T, 6), axis=1)
    return nearest

"""95 % intervals by bootstrap over users: everything is drawn with the same users, so that differences are paired.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile intervals.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 1_000
SEED = 7
_CELLS = 4_000_000  # drawn at once


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over users with its 95 % interval."""

    mean: float
    low: float
    high: float


def resampled_means(values: NDArray[np.float64], samples: int = SAMPLES, seed: int = SEED) -> NDArray[np.float64]:
    """Means of each column over users drawn anew, float64 [samples, columns], from values [users, columns].

    The same number of users and seed draw the same users, whatever the values.
    """
    users = len(values)
    if not users:
        return np.full((samples, values.shape[1]), np.nan)
    random = np.random.default_rng(seed)
    out = np.empty((samples, values.shape[1]))
    step = max(1, _CELLS // users)
    for begin in range(0, samples, step):
        count = min(step, samples - begin)
        drawn = random.integers(0, users, (count, users))
        times = np.stack([np.bincount(row, minlength=users) for row in drawn])
        out[begin : begin + count] = times @ values / users
    return out


def estimate(values: NDArray[np.float64]) -> Estimate:
    """The mean of one number a user, with its interval; users without one (NaN) are left out."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Estimate(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(resampled_means(known[:, None])[:, 0], [0.025, 0.975])
    return Estimate(float(known.mean()), float(low), float(high))


def paired_difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Estimate:
    """Mean of ours less theirs, user by user."""
    return estimate(ours - theirs)

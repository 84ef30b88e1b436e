"""A user as a vector out of what they touched and when, beside items as vectors out of id and attributes.

Covington, Adams and Sargin, Deep Neural Networks for YouTube Recommendations (2016); Yi et al., Sampling-Bias-Corrected
Neural Modeling for Large Corpus Item Recommendations (2019).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONTEXT = ("own_items_log", "days_since_last_log", "year_sine", "year_cosine")
MOST_OWN = 200  # items that a user's vector is made of

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TwoTower:
    """n items in s dimensions, all float32.

    `own_vectors` [n, s] stand for what a user touched; `item_vectors` [n, s + 1] are the item tower's, the last column
    how likely an item is for anybody. `inner_weights` [h, s + len(CONTEXT)] and `outer_weights` [s, h], each with its
    bias, correct the mean of a user's items by the context.
    """

    own_vectors: Floats
    item_vectors: Floats
    inner_weights: Floats
    inner_bias: Floats
    outer_weights: Floats
    outer_bias: Floats

    def user_vector(self, rows: NDArray[np.int32], counts: Floats, context: Floats) -> Floats | None:
        """The vector of a user, float32 [s + 1], by at most MOST_OWN items; nothing for a user without any."""
        if not len(rows):
            return None
        kept = np.argsort(-counts, kind="stable")[:MOST_OWN]
        weights = own_weights(counts[kept])
        pooled = weights @ self.own_vectors[rows[kept]]
        hidden = np.maximum(self.inner_weights @ np.concatenate([pooled, context]) + self.inner_bias, 0.0)
        user = pooled + self.outer_weights @ hidden + self.outer_bias
        return np.append(user, 1.0).astype(np.float32)


def own_weights(counts: Floats) -> Floats:
    """What each of a user's items counts in their mean; together 1."""
    weights = 1.0 + np.log1p(counts)
    return np.asarray(weights / weights.sum(), np.float32)

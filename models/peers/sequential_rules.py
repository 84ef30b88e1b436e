"""Sequential rules: what tends to follow what, the nearer the stronger.

Ludewig and Jannach, Evaluation of Session-based Recommendation Algorithms (2018), section on sequential rules.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.peers.histories import Histories
from models.peers.peer import Recommender, lists_by_score

STEPS = 10  # how far apart two events may be; a rule weighs one over its distance
LAST_EVENTS = 10  # whose rules are asked; an event weighs one over how many came since


def sequential_rules(past: Histories) -> Recommender:
    """Learn rules from everybody's events in order, and ask those of a person's last events."""
    rules = _learn(past)

    def scores(asked: Histories) -> NDArray[np.float32]:
        return np.asarray((_last_events(asked) @ rules).toarray(), np.float32)

    return lists_by_score(scores)


def _learn(past: Histories) -> csr_matrix:
    size = len(past.items)
    rules = csr_matrix((size, size), dtype=np.float32)
    users = past.user_rows
    for step in range(1, STEPS + 1):
        before, after = past.item_rows[:-step], past.item_rows[step:]
        kept = (users[:-step] == users[step:]) & (before != after) & (before >= 0) & (after >= 0)
        weights = np.full(int(kept.sum()), 1.0 / step, np.float32)
        rules = rules + csr_matrix((weights, (before[kept], after[kept])), shape=(size, size))
    return rules


def _last_events(asked: Histories) -> csr_matrix:
    places = np.arange(len(asked.item_rows))
    users = asked.user_rows
    ago = asked.starts[users + 1] - places
    kept = (ago <= LAST_EVENTS) & (asked.item_rows >= 0)
    cells = (users[kept], asked.item_rows[kept])
    return csr_matrix(((1.0 / ago[kept]).astype(np.float32), cells), shape=(len(asked), len(asked.items)))

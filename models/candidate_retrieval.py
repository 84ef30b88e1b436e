"""Choose and measure the index of a candidate bundle with users of the very hour: their taste, their exclusions."""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from models.candidate_bundle import CandidateBundle
from models.retrieval_gate import Probes, RetrievalFigures, RetrievalLimits, choose_index

PROBED_USERS = 200
LIMITS = RetrievalLimits()


def with_measured_index(
    bundle: CandidateBundle, weights: csr_matrix, limits: RetrievalLimits = LIMITS
) -> tuple[CandidateBundle, RetrievalFigures]:
    """The bundle with the index that shall serve it, and the figures for its manifest.

    Users are rows of users × items `weights`, taken evenly over all of them. What a user touched is closed to them:
    the hardest exclusions that there are, for they lie nearest.
    """
    rows = np.unique(np.linspace(0, weights.shape[0] - 1, PROBED_USERS).astype(np.int64))
    rows = rows[np.diff(weights.indptr)[rows] > 0] if weights.shape[0] else rows[:0]
    users = weights[rows]
    touched = np.split(users.indices.astype(np.int32), users.indptr[1:-1]) if len(rows) else []
    probes = Probes(bundle.fold_in.solve(users), touched)
    index, figures = choose_index(bundle.retrieval.vectors, probes, limits, bundle.retrieval.rows)
    return replace(bundle, given_index=index), figures

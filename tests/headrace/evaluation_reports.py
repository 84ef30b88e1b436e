"""Made-up evaluations, for the page, the plots and the sentence."""

import numpy as np
from scipy.sparse import csr_matrix

from models.evaluation_groups import HEAD, TAIL, lengths
from models.evaluation_lists import ItemFacts
from models.evaluation_measure import Question, measure
from models.evaluation_report import ALL, BAND, LENGTH, NOVEL, OURS, REGION, Report, Skipped

PEOPLE, ITEMS = 300, 60


def report_where(ours: float, theirs: float, modes: tuple[str, ...] = (ALL, NOVEL)) -> Report:
    """A report in which Headrace and a peer hit with these chances a place."""
    random = np.random.default_rng(5)
    truths = [frozenset(random.choice(ITEMS, 12, replace=False).tolist()) for _ in range(PEOPLE)]
    history = csr_matrix(random.integers(0, 3, (PEOPLE, ITEMS)).astype(np.float64))
    sizes = np.asarray(history.sum(axis=1)).ravel().astype(np.int64)
    part, names = lengths(sizes)
    groups = {
        BAND: np.where(np.arange(PEOPLE) % 5 == 0, HEAD, TAIL),
        LENGTH: np.array(names)[part],
        REGION: np.where(np.arange(PEOPLE) % 3 == 0, "north & south", "east"),
    }
    order = {BAND: [HEAD, TAIL], LENGTH: names, REGION: ["east", "north & south"]}
    lists = {
        OURS: _lists(truths, ours, seed=1),
        "peer <1>": _lists(truths, theirs, seed=2),
        "popularity": _lists(truths, theirs / 2, seed=3),
    }
    facts = ItemFacts(np.arange(ITEMS), (np.arange(ITEMS) % 7).astype(np.int32), PEOPLE)
    found = tuple(measure(Question(mode, truths, history, groups, order), lists, facts) for mode in modes)
    skipped = (Skipped("huge", "it needs more memory than there is"),)
    return Report("my.csv", "2026-01-31T07:00:00Z", {"events": 9}, found, skipped, {"all": 12.0}, 2**30)


def _lists(truths: list[frozenset[int]], chance: float, *, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = []
    for truth in truths:
        right = random.permutation(sorted(truth))
        wrong = random.permutation(sorted(set(range(ITEMS)) - truth))
        hits = random.random(10) < chance
        rows.append([right[place] if hit else wrong[place] for place, hit in enumerate(hits)])
    return np.array(rows, np.int32)

"""A seeded world of arrays, small enough to train on in a second: items of a few tastes, people who have one."""

import numpy as np
from scipy.sparse import csr_matrix

from contracts.features import ITEM_STATS, USER_STATS
from contracts.lake import WEIGHT_SCALE
from models.als import AlsParameters, fit_implicit
from models.candidate_bundle import CandidateBundle
from models.candidates import Candidates, gather
from models.id_map import IdMap
from models.neighbours import pad_neighbours
from models.user_state import OwnItems, Request

AS_OF = 1_700_000_000
DAY = 86_400
TASTES = 5
REGULARIZATION = 0.05


def make_bundle(items: int = 300, *, seed: int = 3, factors: int = 8) -> CandidateBundle:
    """Item i has taste i modulo TASTES; everything else is drawn."""
    random = np.random.default_rng(seed)
    ids = IdMap.of(f"i{number:04d}" for number in range(items))
    users = np.repeat(np.arange(60), 8)
    touched = random.integers(0, max(items // TASTES, 1), len(users)) * TASTES + users % TASTES
    weights = csr_matrix((random.integers(1, 9, len(users)), (users, touched % items)), shape=(60, items))
    return bundle_of(
        ids,
        fit_implicit(weights, AlsParameters(factors=factors, iterations=4, regularization=REGULARIZATION)),
        neighbours=min(6, items - 1),
        random=random,
    )


def bundle_of(ids: IdMap, item_factors: np.ndarray, *, neighbours: int, random: np.random.Generator) -> CandidateBundle:
    """A bundle around factors; item i is a neighbour of the items after it with the same taste."""
    items = len(ids)
    pairs = [
        (row, (row + TASTES * step) % items, 1 / step) for row in range(items) for step in range(1, 1 + neighbours)
    ]
    names = ids.external_ids
    near_rows, near_scores = pad_neighbours(
        ids, [names[a] for a, b, _ in pairs if a != b], [names[b] for a, b, _ in pairs if a != b],
        np.array([score for a, b, score in pairs if a != b], np.float32),
    )  # fmt: skip
    stats = random.integers(0, 20, (items, len(ITEM_STATS))).astype(np.float64)
    stats[random.random(stats.shape) < 0.1] = np.nan
    for name in ("item_first_at", "item_last_at"):
        stats[:, ITEM_STATS.index(name)] = AS_OF - random.integers(1, 90, items) * DAY
    return CandidateBundle(
        items=ids,
        item_factors=item_factors,
        neighbour_rows=near_rows,
        neighbour_scores=near_scores,
        item_stats=stats,
        category_codes=np.where(random.random(items) < 0.1, -1, np.arange(items) % TASTES).astype(np.int32),
        popular_rows=random.permutation(items).astype(np.int32),
        categories=tuple(f"c{taste}" for taste in range(TASTES)),
        interval_key="2026-01-31T07",
        engine="implicit",
        regularization=REGULARIZATION,
    )


def own_items(item_ids: list[str], *, seed: int = 0) -> OwnItems:
    """A drawn history of these items, most recent first."""
    random = np.random.default_rng(seed)
    count = len(item_ids)
    events = random.integers(1, 6, count).astype(np.int32)
    last = AS_OF - np.sort(random.integers(1, 60, count)) * DAY
    return OwnItems(
        item_ids=tuple(item_ids),
        weight_scaled=random.integers(1, 9, count) * WEIGHT_SCALE,
        event_count=events,
        purchase_count=events // 2,
        count_30d=events // 3,
        first_at=last - (events - 1) * DAY,
        last_at=last,
        value_scaled=events.astype(np.int64) * 3 * WEIGHT_SCALE,
    )


def draw_requests(bundle: CandidateBundle, count: int, *, seed: int = 11) -> list[Request]:
    """Requests of every kind: strangers, unknown items, exclusions, and lists of what is allowed."""
    random = np.random.default_rng(seed)
    names = np.array([*bundle.items.external_ids, "gone-1", "gone-2"])
    requests = []
    for user in range(count):
        size = int(random.integers(0, min(40, len(names)))) if user % 5 else 0
        own = own_items([str(item) for item in random.choice(names, size, replace=False)], seed=user)
        stats = random.integers(0, 30, len(USER_STATS)).astype(np.float64)
        excluded = frozenset(map(str, random.choice(names, int(random.integers(0, len(names) // 4 + 1)))))
        allowed = frozenset(map(str, random.choice(names, len(names) // 2))) if user % 7 == 0 else None
        requests.append(Request(f"u{user}", AS_OF + user * 3_600, own, stats, excluded, allowed))
    return requests


def names_of(bundle: CandidateBundle, found: Candidates) -> set[str]:
    """Ids of candidates."""
    return {bundle.items.external_ids[row] for row in found.rows}


def gathered(bundle: CandidateBundle, request: Request, count: int) -> set[str]:
    """Ids that the first stage finds."""
    return names_of(bundle, gather(bundle, request, count))

"""A drawn shop whose models answer for the long tail: the bundles, ranker, session model and profiles of an hour.

Items lie around centres that are their categories, people like three of these, and what they take next is what the
ranker learns. Nothing of it is real, so it says what an answer costs, and nothing of what it is worth.
"""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval_world import SIZE, make_vectors
from contracts.features import FEATURE_ORDER, ITEM_STATS, USER_STATS
from contracts.intervals import Interval
from contracts.lake import WEIGHT_SCALE
from contracts.serving_model import ServingModel, write_serving_model
from contracts.settings import Layout
from contracts.user_state import MAX_PROFILE_ITEMS
from models.candidate_bundle import CandidateBundle
from models.id_map import IdMap
from models.item_attributes import AttributeColumn, ItemAttributes
from models.profile import Profile
from models.profile_file import write_profile_file
from models.profile_record import encode_profile
from models.ranker import RankerBundle, train_ranker
from models.session_features import FEATURES as SESSION_COLUMNS
from models.session_training import SessionParameters, fit_session_model
from models.sessions import Sessions
from models.two_stage import SessionStage, candidate_features, load_session_stage
from models.user_state import LiveSession, OwnItems, Request

INTERVAL = "2026-01-31T07"
AS_OF = int(Interval.of_key(INTERVAL).end_at.timestamp())
ITEMS, CATEGORIES, NEW_SHARE, NEIGHBOURS = 100_000, 400, 0.1, 50
PEOPLE, TYPICAL_EVENTS = 2_000, 100
HISTORIES = (10, 100, 1_000, 10_000)  # events
HISTORY_PEOPLE = 50
TRAINED_ON, CANDIDATES = 150, 500
SESSIONS, SESSION_CLICKS = 20_000, 6
KINDS = ("view", "click", "add_to_cart", "purchase")
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Shop:
    """Items by category: `order` int64 are rows sorted by it, category c from `starts[c]` to `starts[c + 1]`."""

    candidates: CandidateBundle
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def draw(self, random: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Distinct rows of three categories, popular ones more often; about `count`."""
        liked = random.choice(len(self.starts) - 1, 3, p=np.diff(self.starts) / len(self.order))
        sizes = np.diff(self.starts)[liked]
        which = random.integers(0, 3, count * 2)
        places = (sizes[which] * random.random(count * 2) ** 3).astype(np.int64)
        return np.unique(self.order[self.starts[liked[which]] + places])[:count]


def user_name(number: int) -> str:
    """A typical person of the tail."""
    return f"tail-{number:05d}"


def history_name(events: int, number: int) -> str:
    """A person with so many events."""
    return f"history-{events}-{number:03d}"


def shop_root(items: int) -> Path:
    """Where a shop of that size is kept, named by what its models were trained on."""
    text = f"{FEATURE_ORDER}{SESSION_COLUMNS}{USER_STATS}{ITEM_STATS}"
    return Path("artifacts") / "shops" / f"{items}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def ensure_shop(items: int = ITEMS) -> Path:
    """The root of a shop, built when it is not there yet; profiles are written anew."""
    root = shop_root(items)
    layout, model = Layout(root), ServingModel(INTERVAL, INTERVAL, "ranker", "session", INTERVAL)
    if not (root / "finished").exists():
        shutil.rmtree(root, ignore_errors=True)
        _build(layout, model, shop_of(make_candidates(items)))
        (root / "finished").touch()
    shop = shop_of(CandidateBundle.load(model.candidates_folder(layout)))
    write_profile_file(model.profiles_folder(layout), _profiles(shop), {"job": "drawn"})
    write_serving_model(layout, model)
    return root


def own_items(shop: Shop, random: np.random.Generator, events: int) -> OwnItems:
    """A history of about so many events, three an item."""
    rows = shop.draw(random, max(1, min(events // 3, MAX_PROFILE_ITEMS)))
    count = len(rows)
    last = AS_OF - np.sort(random.integers(60, 90 * DAY, count))[::1]
    each = np.maximum(random.poisson(events / count, count), 1).astype(np.int32)
    return OwnItems(
        item_ids=tuple(shop.candidates.items.external_ids[row] for row in rows),
        weight_scaled=random.integers(1, 9, count) * WEIGHT_SCALE * each,
        event_count=each,
        purchase_count=(each // 3).astype(np.int32),
        count_30d=(each // 2).astype(np.int32),
        first_at=last - each * DAY,
        last_at=last,
        value_scaled=each.astype(np.int64) * 9 * WEIGHT_SCALE,
    )


def live_session(shop: Shop, random: np.random.Generator, clicks: int) -> LiveSession:
    """Some clicks of one mood in the last minutes."""
    rows = random.permutation(shop.draw(random, clicks + 3))[:clicks]
    return LiveSession(
        item_ids=tuple(shop.candidates.items.external_ids[row] for row in rows),
        event_types=tuple(KINDS[place] for place in random.integers(0, 2, len(rows))),
        at_seconds=AS_OF - np.sort(random.integers(1, 600, len(rows)))[::-1],
        values=np.full(len(rows), np.nan),
    )


def shop_of(candidates: CandidateBundle) -> Shop:
    """Sort a bundle's items by category, popular ones first."""
    popular = np.argsort(-np.nan_to_num(candidates.item_stats[:, ITEM_STATS.index("item_count_window")]), kind="stable")
    order = popular[np.argsort(candidates.category_codes[popular], kind="stable")]
    starts = np.searchsorted(candidates.category_codes[order], np.arange(len(candidates.categories) + 1))
    return Shop(candidates, order, starts)


def make_candidates(items: int) -> CandidateBundle:
    """A bundle of that many items, a tenth of them new."""
    random = np.random.default_rng(3)
    vectors = make_vectors(items)
    codes = _categories(vectors, random)
    order = np.argsort(codes, kind="stable")
    place = np.empty(items, np.int64)
    place[order] = np.arange(items)
    steps = np.arange(1, NEIGHBOURS + 1)
    new = random.random(items) < NEW_SHARE
    vectors[new] = 0
    stats = _statistics(items, random)
    stats[new] = np.nan
    brands = AttributeColumn(random.integers(-1, 500, items).astype(np.int32), tuple(f"brand-{n}" for n in range(500)))
    sizes = AttributeColumn(random.integers(-1, 40, items).astype(np.int32), tuple(map(str, range(40))))
    return CandidateBundle(
        items=IdMap(tuple(f"item-{row:07d}" for row in range(items))),
        item_factors=vectors,
        neighbour_rows=order[(place[:, None] + steps) % items].astype(np.int32),
        neighbour_scores=np.broadcast_to((1 / (1 + steps)).astype(np.float32), (items, NEIGHBOURS)).copy(),
        item_stats=stats,
        category_codes=codes,
        popular_rows=random.permutation(np.flatnonzero(~new)).astype(np.int32),
        categories=tuple(f"category-{code:03d}" for code in range(CATEGORIES)),
        interval_key=INTERVAL,
        engine="drawn",
        regularization=0.05,
        attributes=ItemAttributes(random.lognormal(3, 1, items), {"brand": brands, "size": sizes}),
    )


def user_stats(random: np.random.Generator) -> NDArray[np.float64]:
    """Statistics of somebody."""
    values = random.random(len(USER_STATS))
    values[USER_STATS.index("user_first_at")] = AS_OF - 90 * DAY
    values[USER_STATS.index("user_last_at")] = AS_OF - random.integers(60, 20 * DAY)
    for name in ("user_event_count", "user_active_days", "user_item_count"):
        values[USER_STATS.index(name)] = random.integers(2, 60)
    return values


def _build(layout: Layout, model: ServingModel, shop: Shop) -> None:
    random = np.random.default_rng(4)
    shop.candidates.save(model.candidates_folder(layout), {"job": "drawn"})
    folder = layout.sessions / model.session
    _fit_sessions(shop, random, folder)
    stage = load_session_stage(shop.candidates, folder, layout.cache)
    _train(shop, random, stage).save(model.ranker_folder(layout))


def _fit_sessions(shop: Shop, random: np.random.Generator, folder: Path) -> None:
    clicks = [random.permutation(shop.draw(random, SESSION_CLICKS)) for _ in range(SESSIONS)]
    codes = np.repeat(np.arange(SESSIONS), [len(rows) for rows in clicks])
    at = AS_OF - DAY + codes * 4 + np.concatenate([np.arange(len(rows)) for rows in clicks])
    clicked, rows = np.unique(np.concatenate(clicks), return_inverse=True)
    sessions = Sessions.of_clicks(codes, rows.astype(np.int32), at)
    model = fit_session_model(sessions, len(clicked), SessionParameters(most_examples=2_000))
    replace(model, item_ids=tuple(shop.candidates.items.external_ids[row] for row in clicked)).save(folder)


def _train(shop: Shop, random: np.random.Generator, stage: SessionStage | None) -> RankerBundle:
    """A ranker of the usual size, for whom what counts is what is liked, owned and new in the session."""
    requests = [
        Request(
            f"teacher-{number}",
            AS_OF + int(random.integers(0, DAY)),
            own_items(shop, random, TYPICAL_EVENTS),
            user_stats(random),
            session=live_session(shop, random, number % 4),
        )
        for number in range(TRAINED_ON)
    ]
    found = candidate_features(shop.candidates, requests, CANDIDATES, stage)
    features = np.concatenate([one.features for one in found])
    liking = sum(
        weight * np.nan_to_num(features[:, FEATURE_ORDER.index(name)])
        for name, weight in (("als_score", 1), ("own_count", 0.5), ("session_score", 0.3), ("cooccurrence_score", 1))
    )
    liking = np.asarray(liking) + random.normal(0, 0.5, len(features))
    labels = (liking > np.quantile(liking, 0.95)).astype(np.int32)
    booster = train_ranker(features, labels, np.array([len(one.rows) for one in found], np.int32))
    return RankerBundle(booster.model_to_string(), "2026-01-31T00:00:00Z", {"drawn": 1})


def _profiles(shop: Shop) -> Iterator[tuple[str, bytes]]:
    random = np.random.default_rng(5)
    people = [(user_name(number), TYPICAL_EVENTS) for number in range(PEOPLE)]
    people += [(history_name(events, number), events) for events in HISTORIES for number in range(HISTORY_PEOPLE)]
    for name, events in sorted(people):
        yield name, encode_profile(Profile(own_items(shop, random, events), user_stats(random)))


def _categories(vectors: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.int32]:
    """The nearest of some items that stand for a category each."""
    anchors = vectors[random.choice(len(vectors), CATEGORIES, replace=False)].T
    anchors /= np.linalg.norm(anchors, axis=0)
    parts = [(vectors[low : low + 50_000] @ anchors).argmax(axis=1) for low in range(0, len(vectors), 50_000)]
    return np.concatenate(parts).astype(np.int32)


def _statistics(items: int, random: np.random.Generator) -> NDArray[np.float64]:
    stats = random.random((items, len(ITEM_STATS)))
    counts = random.lognormal(2, 1.2, items)
    for place, name in enumerate(ITEM_STATS):
        if "count" in name:
            stats[:, place] = np.floor(counts * random.random())
    stats[:, ITEM_STATS.index("item_price")] = random.lognormal(3, 1, items)
    stats[:, ITEM_STATS.index("item_first_at")] = AS_OF - random.integers(30 * DAY, 90 * DAY, items)
    stats[:, ITEM_STATS.index("item_last_at")] = AS_OF - random.integers(60, 30 * DAY, items)
    return stats


if __name__ == "__main__":
    print(ensure_shop(), SIZE)

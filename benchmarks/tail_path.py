"""What an answer for the long tail costs a worker, stage by stage; `python -m benchmarks.tail_path [--items N]`.

In one process and on one thread, on the drawn shop of `benchmarks.tail_shop`: read the question and the profile, lay
the session over it, find 500 of the items, make their features, rank them, write the answer. References of the same
run, called in turn with it: LightGBM's own `predict` of the same rows, and the bare product of the catalogue's matrix
with a vector.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import tail_shop
from benchmarks.report import Figure, show
from benchmarks.tail_shop import AS_OF, CANDIDATES, HISTORIES, HISTORY_PEOPLE, Shop, history_name, user_name
from contracts.event_weights import parse_event_weights
from contracts.features import FEATURE_ORDER
from contracts.serving_model import read_serving_model
from contracts.settings import Layout, Settings
from models.blas import use_one_thread
from models.candidates import gather
from models.feature_matrix import feature_matrix
from models.item_filter import FilterMasks, ItemFilter
from models.live_state import StateTerms, categories_of, lay_over
from models.profile import Profile
from models.profile_file import ProfileFile
from models.ranker import RankerBundle
from models.scorers import BoosterScorer
from models.two_stage import SESSION_SHARE, candidate_features, load_serving
from models.user_state import LiveSession, Request
from serving.inference.answering import Answerer
from serving.inference.messages import TailAsk, decode_ask, encode_answer, to_row

ASKS, ROUNDS, BLOCK, EXCLUDED, CLICKS, LIMIT = 100, 4, 20, 50, 3, 70
GOAL_MS, STRETCH_MS = 5.0, 3.0
GOAL_RANKER, STRETCH_RANKER = 0.6, 0.3
GOAL_HISTORY, STRETCH_HISTORY = 1.5, 1.1
FILTER = {
    "and": [
        {"field": "brand", "in": [f"brand-{number}" for number in range(100)]},
        {"field": "price", "gte": 5, "lt": 60},
        {"not": {"field": "size", "equals": 7}},
    ]
}
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Bench:
    """A worker's answerer over the shop, and LightGBM itself with the same trees."""

    answerer: Answerer
    booster: BoosterScorer
    shop: Shop

    @classmethod
    def open(cls, items: int) -> "Bench":
        """Load what a worker loads."""
        layout = Layout(tail_shop.ensure_shop(items))
        model = read_serving_model(layout, tail_shop.INTERVAL)
        bundle = load_serving(layout, model, CANDIDATES)
        use_one_thread()
        profiles = ProfileFile.open(model.profiles_folder(layout))
        answerer = Answerer("v", bundle, profiles, parse_event_weights(Settings().event_weights), AS_OF)
        booster = BoosterScorer(RankerBundle.load(model.ranker_folder(layout)).model_text)
        return cls(answerer, booster, tail_shop.shop_of(bundle.candidates))

    def ask(self, user: str, number: int) -> bytes:
        """Somebody's question with some clicks, and what they saw excluded."""
        session, seen = self.drawn(number)
        events = [
            to_row((f"e{place}", session.event_types[place], item, int(session.at_seconds[place]) * 1_000, None))
            for place, item in enumerate(session.item_ids)
        ]
        return TailAsk(user, limit=LIMIT, events=events, excluded=sorted(seen)).encode()

    def drawn(self, number: int) -> tuple[LiveSession, frozenset[str]]:
        """The session of a question, and what is excluded."""
        random = np.random.default_rng(number)
        session = tail_shop.live_session(self.shop, random, CLICKS)
        names = self.shop.candidates.items.external_ids
        return session, frozenset(names[row] for row in self.shop.draw(random, EXCLUDED))

    def answer(self, ask: bytes) -> bytes:
        """What a worker does between two frames."""
        return encode_answer(self.answerer.answer(decode_ask(ask)))

    def request(self, user: str, number: int, profile: Profile | None) -> Request:
        """The same question as the two stages get it."""
        session, seen = self.drawn(number)
        return replace(lay_over(profile, user, session, self.terms()), excluded=seen)

    def terms(self) -> StateTerms:
        """What a worker lays sessions over with."""
        candidates = self.answerer.bundle.candidates
        return StateTerms(int(time.time()), self.answerer.event_weights, categories_of(candidates))

    def features(self, user: str, number: int) -> NDArray[np.float32]:
        """Feature rows of a question."""
        bundle = self.answerer.bundle
        request = self.request(user, number, self.answerer.profiles.read(user))
        return candidate_features(bundle.candidates, [request], CANDIDATES, bundle.session)[0].features


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=tail_shop.ITEMS)
    items = parser.parse_args().items
    bench = Bench.open(items)
    asks = [bench.ask(user_name(number), number) for number in range(ASKS)]
    for ask in asks:
        bench.answer(ask)
    whole, of_booster, bare = against_references(bench, asks)
    stages = stage_costs(bench)
    show(
        "tail_path" if items == tail_shop.ITEMS else f"tail_path_{items}",
        [
            Figure(
                f"CPU of a whole answer, {CANDIDATES} of {items:,}",
                f"{whole:.2f} ms",
                f"{of_booster:.2f} ms Booster.predict, {bare:.2f} ms bare product",
                whole / of_booster,
                f"<= {GOAL_MS} ms, stretch {STRETCH_MS}",
                whole <= GOAL_MS,
            ),
            _ranker_figure(stages),
            *(Figure(f"of it {name}", f"{spent:.3f} ms", "", None, "reported") for name, spent in stages.items()),
            *history_figures(bench),
            *filter_figures(bench),
        ],
        {"features": len(FEATURE_ORDER), "excluded": EXCLUDED, "clicks": CLICKS, "asks": ASKS * ROUNDS},
    )


def against_references(bench: Bench, asks: Sequence[bytes]) -> tuple[float, float, float]:
    """Median CPU in milliseconds of an answer, of the Booster on as many rows, and of the bare product."""
    vectors = bench.answerer.bundle.candidates.retrieval.vectors
    rows = bench.features(user_name(0), 0)
    spent: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS):
        for place, ask in enumerate(asks):
            spent[0].append(milliseconds(time.process_time_ns, bench.answer, ask))
            if place % BLOCK == BLOCK - 1:  # not between any two answers, which find their own in the cache
                spent[1] += [milliseconds(time.process_time_ns, bench.booster.score, rows) for _ in range(BLOCK)]
                spent[2] += [milliseconds(time.process_time_ns, vectors.dot, vectors[7]) for _ in range(BLOCK)]
    whole, of_booster, bare = (float(np.median(one)) for one in spent)
    return whole, of_booster, bare


def stage_costs(bench: Bench) -> dict[str, float]:
    """Median CPU in milliseconds of each stage by its own, in the order of work."""
    bundle, spent = bench.answerer.bundle, dict[str, list[float]]()
    assert bundle.session is not None

    def timed(stage: str, call: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.process_time_ns()
        result = call(*arguments)
        spent.setdefault(stage, []).append((time.process_time_ns() - begun) / 1e6)
        return result

    for number in (*range(ASKS), *range(ASKS)):
        user, (session, seen) = user_name(number), bench.drawn(number)
        profile = timed("reading the profile", bench.answerer.profiles.read, user)
        laid = timed("laying the session over it", lay_over, profile, user, session, bench.terms())
        request = replace(laid, excluded=seen)
        share = int(CANDIDATES * SESSION_SHARE)
        coming = timed("what follows in past sessions", bundle.session.next_items, request.session, share)
        find = partial(gather, more=(coming.rows,))
        found = timed("finding candidates", find, bundle.candidates, request, CANDIDATES)
        rows = timed("features", feature_matrix, bundle.candidates, request, found, coming)
        timed("ranking", bundle.scorer.score, rows)
        timed("ranking by Booster.predict", bench.booster.score, rows)
    return {stage: float(np.median(times)) for stage, times in spent.items()}


def history_figures(bench: Bench) -> list[Figure]:
    """The same for people with ten events and with ten thousand, clock on the wall, called in turn."""
    asks = {
        events: [bench.ask(history_name(events, number), number) for number in range(HISTORY_PEOPLE)]
        for events in HISTORIES
    }
    walls: dict[int, list[float]] = {events: [] for events in HISTORIES}
    cpus: dict[int, list[float]] = {events: [] for events in HISTORIES}
    for _ in range(ROUNDS):
        for number in range(HISTORY_PEOPLE):
            for events in HISTORIES:
                walls[events].append(milliseconds(time.perf_counter_ns, bench.answer, asks[events][number]))
                cpus[events].append(milliseconds(time.process_time_ns, bench.answer, asks[events][number]))
    figures = []
    shortest = HISTORIES[0]
    for events in HISTORIES:
        ratio = float(np.quantile(cpus[events], 0.99) / np.quantile(cpus[shortest], 0.99))
        longest = events == HISTORIES[-1]
        figures.append(
            Figure(
                f"history of {events:,} events: p99 of the CPU",
                f"{np.quantile(cpus[events], 0.99):.2f} ms, median {np.median(cpus[events]):.2f}",
                f"{np.quantile(cpus[shortest], 0.99):.2f} ms at {shortest} events; wall p99 "
                f"{np.quantile(walls[events], 0.99):.1f}",
                ratio,
                f"<= {GOAL_HISTORY}, stretch {STRETCH_HISTORY}" if longest else "reported",
                ratio <= GOAL_HISTORY if longest else None,
            )
        )
    return figures


def filter_figures(bench: Bench) -> list[Figure]:
    """A filter of three comparisons: read and answered anew, and found among the last masks."""
    attributes, text = bench.answerer.bundle.candidates.attributes, ItemFilter.parse(FILTER).canonical()
    fresh = [
        milliseconds(time.process_time_ns, lambda: ItemFilter.from_text(text).open_rows(attributes)) for _ in range(200)
    ]
    masks = FilterMasks(attributes)
    masks.open_rows(text)
    kept = [milliseconds(time.perf_counter_ns, masks.open_rows, text) for _ in range(200)]
    spent = float(np.median(fresh))
    return [
        Figure("a filter of 102 values, anew", f"{spent:.2f} ms", "", None, "<= 1 ms", spent <= 1.0),
        Figure("the same filter again", f"{np.median(kept) * 1e3:.1f} us", "", None, "nothing"),
    ]


def milliseconds(clock: Clock, call: Callable[..., Any], *arguments: Any) -> float:
    """What a call takes."""
    begun = clock()
    call(*arguments)
    return (clock() - begun) / 1e6


def _ranker_figure(stages: dict[str, float]) -> Figure:
    spent, reference = stages["ranking"], stages.pop("ranking by Booster.predict")
    ratio = spent / reference
    goal = f"<= {GOAL_RANKER}, stretch {STRETCH_RANKER}"
    return Figure(
        "CPU of the ranker", f"{spent:.2f} ms", f"{reference:.2f} ms Booster", ratio, goal, ratio <= GOAL_RANKER
    )


if __name__ == "__main__":
    main()

"""What an answer for the long tail costs a worker, stage by stage; `python -m benchmarks.tail_path [--items N]`.

In one process and on one thread, on the drawn shop of `benchmarks.tail_shop`: read the question and the profile, lay
the session over it, find 500 of the items, make their features, rank them, write the answer. References of the same
run, called in turn with it: LightGBM's own `predict` of the same rows, and the bare product of the catalogue's matrix
with a vector.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import tail_shop
from benchmarks.report import Figure, show
from benchmarks.tail_shop import AS_OF, CANDIDATES, HISTORIES, HISTORY_PEOPLE, Shop, history_name, user_name
from contracts.serving_model import read_serving_model
from contracts.settings import Layout, Settings, parse_event_weights
from models.blas import use_one_thread
from models.candidates import gather
from models.feature_matrix import feature_matrix
from models.item_filter import FilterMasks, ItemFilter
from models.profile_file import ProfileFile
from models.ranker import RankerBundle
from models.scorers import BoosterScorer
from models.two_stage import SESSION_SHARE, candidate_features, load_serving
from models.user_state import Request
from serving.inference.answering import Answerer
from serving.inference.messages import TailAsk, decode_ask, encode_answer

ASKS, ROUNDS, EXCLUDED, CLICKS, LIMIT = 100, 4, 50, 3, 70
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
        random = np.random.default_rng(number)
        session = tail_shop.live_session(self.shop, random, CLICKS)
        names = self.shop.candidates.items.external_ids
        events = [
            (f"e{place}", session.event_types[place], item, int(session.at_seconds[place]) * 1_000, None)
            for place, item in enumerate(session.item_ids)
        ]
        seen = [names[row] for row in self.shop.draw(random, EXCLUDED)]
        return TailAsk(user, limit=LIMIT, events=events, excluded=seen).encode()

    def answer(self, ask: bytes) -> bytes:
        """What a worker does between two frames."""
        return encode_answer(self.answerer.answer(decode_ask(ask)))

    def request(self, ask: bytes) -> Request:
        """The question as the two stages get it."""
        question = decode_ask(ask)
        return self.answerer._request(question, self.answerer.profiles.read(question.user_id))

    def features(self, ask: bytes) -> NDArray[np.float32]:
        """Feature rows of a question."""
        bundle = self.answerer.bundle
        return candidate_features(bundle.candidates, [self.request(ask)], CANDIDATES, bundle.session)[0].features


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
    stages = stage_costs(bench, asks)
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
        {"features": bench.features(asks[0]).shape[1], "excluded": EXCLUDED, "clicks": CLICKS, "asks": ASKS * ROUNDS},
    )


def against_references(bench: Bench, asks: Sequence[bytes]) -> tuple[float, float, float]:
    """Median CPU in milliseconds of an answer, of the Booster on as many rows, and of the bare product."""
    vectors = bench.answerer.bundle.candidates.retrieval.vectors
    rows = bench.features(asks[0])
    spent: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS):
        for ask in asks:
            spent[0].append(milliseconds(time.process_time_ns, bench.answer, ask))
            spent[1].append(milliseconds(time.process_time_ns, bench.booster.score, rows))
            spent[2].append(milliseconds(time.process_time_ns, vectors.dot, vectors[7]))
    whole, of_booster, bare = (float(np.median(one)) for one in spent)
    return whole, of_booster, bare


def stage_costs(bench: Bench, asks: Sequence[bytes]) -> dict[str, float]:
    """Median CPU in milliseconds of each stage by its own."""
    answerer, bundle, spent = bench.answerer, bench.answerer.bundle, dict[str, list[float]]()

    def timed(stage: str, call: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.process_time_ns()
        result = call(*arguments)
        spent.setdefault(stage, []).append((time.process_time_ns() - begun) / 1e6)
        return result

    for raw in asks * 2:
        ask = timed("reading the question", decode_ask, raw)
        profile = timed("reading the profile", answerer.profiles.read, ask.user_id)
        request = timed("laying the session over it", answerer._request, ask, profile)
        assert bundle.session is not None
        share = int(CANDIDATES * SESSION_SHARE)
        coming = timed("what follows in past sessions", bundle.session.next_items, request.session, share)
        found = timed(
            "finding candidates",
            lambda request, coming: gather(bundle.candidates, request, CANDIDATES, more=(coming.rows,)),
            request,
            coming,
        )
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

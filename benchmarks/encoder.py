"""Does a session encoder find what people go on with? Alone, beside what serves and merged with it; and its precision.

`python -m benchmarks.encoder PART [--data FILE] [--also …]` in an environment with requirements/trainer.txt. PART is
`clicks` (the sessions of bol.com that benchmarks.sessions takes) or `baskets` (Complete Journey, the order within a
basket drawn). Some minutes of CPU on one thread each. The item on the screen, or all of a basket, is left out.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.encoder_precision import precision_figures
from benchmarks.encoder_rank import Sight, rank_figures
from benchmarks.encoder_worlds import Lists, World, baskets, clicks, merge
from benchmarks.report import Figure, show
from benchmarks.session_rivals import Steps
from benchmarks.sessions import DATA, interval
from contracts.event_contract import CLICK
from models.als import AlsParameters, FoldIn, fit_implicit
from models.blas import use_one_thread
from models.encoder_training import ATTENTION, EncoderParameters, as_encoder, fit_network, unit_vectors
from models.id_map import IdMap
from models.scorers import make_scorer
from models.session_encoder import LAST_EVENTS, SessionEncoder, kind_codes
from models.session_model import next_items
from models.session_training import SessionParameters, fit_session_model, session_sources
from models.sessions import time_gaps

DEEP, FEW, SHORT = 500, 100, 20
TOLD_APART = 200  # candidates of the session model; behind them it has popular items only
MOST_EXAMPLES = 6_000  # of baskets, which are long
RANK_EPOCHS, RANK_SESSIONS = 4, 1_500  # a short look: the trees of all 3,000 held sessions take thrice the time
OURS, ALS, ENCODER, ATTENTIVE, FROZEN = "session model", "ALS fold-in", "GRU", "self-attention", "GRU into ALS' space"

Floats = NDArray[np.float32]
Encode = Callable[[NDArray[np.int32], Floats], Floats | None]


@dataclass(frozen=True, slots=True)
class Findings:
    """Each way's lists of DEEP rows a step, best first, and the CPU that they took: to fit, and a step."""

    world: World
    lists: dict[str, Lists] = field(default_factory=dict)
    fit_seconds: dict[str, float] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def fitting(self, name: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.fit_seconds[name] = time.process_time() - begun

    def foretell(self, name: str, way: Callable[[NDArray[np.int32], Floats], NDArray[np.int32]]) -> None:
        steps = self.world.steps
        sessions = [
            (rows[-LAST_EVENTS:], time_gaps(at[-LAST_EVENTS:]))
            for rows, at in zip(steps.seen, steps.seen_at, strict=True)
        ]
        begun = time.process_time()
        found = [way(*one) for one in sessions]
        self.milliseconds[name] = 1e3 * (time.process_time() - begun) / len(found)
        self.lists[name] = [
            rows[~np.isin(rows, self.world.closed(seen))][:DEEP] for rows, seen in zip(found, steps.seen, strict=True)
        ]


def main() -> None:
    """Fit, foretell, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("clicks", "baskets"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cache", type=Path, default=Path("var") / "compiled")
    parser.add_argument("--also", nargs="*", default=[], choices=("attention", "frozen", "rank"))
    options = parser.parse_args()
    use_one_thread()
    findings = Findings(clicks(options.data) if options.part == "clicks" else baskets())
    begin = unit_vectors(foretell_by_als(findings))
    encoder = foretell_by_gru(findings, begin)
    foretell_by_session_model(findings, options.cache)
    chosen = EncoderParameters(shuffled=findings.world.shuffled, epochs=findings.world.epochs)
    if "frozen" in options.also:
        _foretell_by_network(findings, FROZEN, begin, replace(chosen, frozen=True))
    if "attention" in options.also:
        _foretell_by_network(findings, ATTENTIVE, begin, replace(chosen, kind=ATTENTION))
    figures = [*alone(findings), *merged(findings)]
    world = findings.world
    if options.part == "clicks":
        figures += precision_figures(encoder, world)
    if "rank" in options.also:
        figures += foretell_by_trees(world)
    conditions = {"past sessions": len(world.past), "items": world.item_count, "steps": len(world.steps.wanted)}
    fits = {f"CPU s to fit {name}": round(seconds) for name, seconds in findings.fit_seconds.items()}
    show(f"encoder_{options.part}", figures, conditions | fits)


def foretell_by_als(findings: Findings) -> Floats:
    """Factors of items over sessions; a session is folded in as a user is."""
    past = findings.world.past
    ones = np.ones(len(past.item_rows), np.float32)
    with findings.fitting(ALS):
        held = csr_matrix((ones, (past.codes(), past.item_rows)), shape=(len(past), findings.world.item_count))
        factors = fit_implicit(held, AlsParameters())
    fold_in = FoldIn(factors, AlsParameters().regularization)

    def encode(rows: NDArray[np.int32], _: Floats) -> Floats:
        distinct, counts = np.unique(rows, return_counts=True)
        return fold_in.solve_one(distinct, counts.astype(np.float32))

    findings.foretell(ALS, nearest(factors, encode))
    return factors


def foretell_by_gru(findings: Findings, begin: Floats) -> SessionEncoder:
    """What would serve: through ONNX Runtime, item vectors in fp16."""
    parameters = EncoderParameters(shuffled=findings.world.shuffled, epochs=findings.world.epochs)
    with findings.fitting(ENCODER):
        network = fit_network(findings.world.past, begin, parameters)
    items = IdMap(tuple(f"{row:06d}" for row in range(findings.world.item_count)))
    encoder = as_encoder(network, items, {})
    click = kind_codes([CLICK])[0]
    way = nearest(
        encoder.item_vectors.astype(np.float32),
        lambda rows, gaps: encoder.encode(rows, gaps, np.full(len(rows), click)),
    )
    findings.foretell(ENCODER, way)
    return replace(encoder, item_vectors=network.item_vectors())  # unrounded, to be judged in every precision


def foretell_by_session_model(findings: Findings, cache: Path) -> None:
    """The trees over what past sessions say, which serve."""
    most = MOST_EXAMPLES if findings.world.shuffled else SessionParameters().most_examples
    with findings.fitting(OURS):
        model = fit_session_model(findings.world.past, findings.world.item_count, SessionParameters(most_examples=most))
    scorer = make_scorer(model, cache)
    findings.foretell(OURS, lambda rows, gaps: next_items(model, scorer, rows, gaps, count=DEEP + LAST_EVENTS)[0])


def foretell_by_trees(world: World) -> list[Figure]:
    """Trees with and without an encoder, which is of the past less the eighth that the session model learns on."""
    held = len(world.past) - round(SessionParameters().held_share * len(world.past))
    before = Findings(replace(world, past=world.past.part(0, held), epochs=RANK_EPOCHS))
    encoder = foretell_by_gru(before, unit_vectors(foretell_by_als(before)))
    earlier, later = (
        Sight(session_sources(one.past, world.item_count), encoder, encoder.item_vectors.astype(np.float32))
        for one in (before.world, world)
    )
    newest = world.past.part(len(world.past) - RANK_SESSIONS, len(world.past))
    return rank_figures(earlier, later, newest, world)


def _foretell_by_network(findings: Findings, name: str, begin: Floats, parameters: EncoderParameters) -> None:
    with findings.fitting(name):
        network = fit_network(findings.world.past, begin, parameters)
    findings.foretell(name, nearest(network.item_vectors(), network.encode))


def nearest(vectors: Floats, encode: Encode) -> Callable[[NDArray[np.int32], Floats], NDArray[np.int32]]:
    """Rows of the largest products with the vector of a session; some more than DEEP, for some are left out."""

    def way(rows: NDArray[np.int32], gaps: Floats) -> NDArray[np.int32]:
        scores = vectors @ encode(rows, gaps)
        best = np.argpartition(-scores, DEEP + LAST_EVENTS)[: DEEP + LAST_EVENTS]
        return np.asarray(best[np.argsort(-scores[best], kind="stable")], np.int32)

    return way


def hits(lists: Lists, steps: Steps, depth: int) -> NDArray[np.float64]:
    """1 where the wanted item is among the first `depth`, float64 [steps]."""
    return np.array([float(wanted in rows[:depth]) for rows, wanted in zip(lists, steps.wanted, strict=True)])


def reciprocal_ranks(lists: Lists, steps: Steps) -> NDArray[np.float64]:
    """1 over the place of the wanted item, 0 beyond SHORT."""
    out = np.zeros(len(lists))
    for place, (rows, wanted) in enumerate(zip(lists, steps.wanted, strict=True)):
        for found in np.flatnonzero(rows[:SHORT] == wanted):
            out[place] = 1.0 / (1 + found)
    return out


def alone(findings: Findings) -> list[Figure]:
    """Each way by itself, beside the session model."""
    steps = findings.world.steps
    figures = []
    for name, lists in findings.lists.items():
        ours = findings.lists[OURS]
        pairs = {
            f"MRR@{SHORT}": (reciprocal_ranks(lists, steps), reciprocal_ranks(ours, steps)),
            f"recall@{FEW}": (hits(lists, steps, FEW), hits(ours, steps, FEW)),
            f"recall@{DEEP}": (hits(lists, steps, DEEP), hits(ours, steps, DEEP)),
        }
        figures += [
            _figure(f"{what}, {name} ({findings.milliseconds[name]:.2f} ms CPU a step)", one, other, findings.world)
            for what, (one, other) in pairs.items()
        ]
    return figures


def merged(findings: Findings) -> list[Figure]:
    """The session model's best, then another source: ALS as it is, or the encoder, or half of each."""
    lists, steps = findings.lists, findings.world.steps
    figures = []
    for depth, kept in ((FEW, 60), (FEW, 80), (DEEP, 100), (DEEP, TOLD_APART)):
        ours, half = (lists[OURS], kept), (depth - kept) // 2
        reference = hits(merge([ours, (lists[ALS], DEEP)], depth), steps, depth)
        ways = {
            "ALS": reference,
            "GRU": hits(merge([ours, (lists[ENCODER], DEEP)], depth), steps, depth),
            "GRU, then ALS": hits(merge([ours, (lists[ENCODER], half), (lists[ALS], DEEP)], depth), steps, depth),
        }
        if ATTENTIVE in lists:
            ways["self-attention"] = hits(merge([ours, (lists[ATTENTIVE], DEEP)], depth), steps, depth)
        figures += [
            _figure(f"recall@{depth}, {kept} of the session model, then {name}", found, reference, findings.world)
            for name, found in ways.items()
        ]
    return figures


def _figure(what: str, values: NDArray[np.float64], reference: NDArray[np.float64], world: World) -> Figure:
    low, high = interval(values - reference, world.steps)
    return Figure(
        what,
        f"{values.mean():.4f}",
        f"{reference.mean():.4f}, difference {low:+.3f} to {high:+.3f}",
        float(values.mean() / max(reference.mean(), 1e-12)),
        "reported",
    )


if __name__ == "__main__":
    main()

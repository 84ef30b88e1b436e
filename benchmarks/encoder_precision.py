"""The session encoder in fp32, fp16, INT8 and INT4: bytes, CPU of one session, and what is lost of MRR@20 and recall.

Item vectors and the network's weights are rounded to each precision, a scale a row for whole numbers, and run in
float32: ONNX Runtime has no recurrent layer of 8 bits on a CPU, so smaller numbers save memory here and no time.
"""

import time
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoder_worlds import World
from benchmarks.report import Figure
from contracts.event_contract import CLICK
from models.encoder_export import gru_graph
from models.session_encoder import LAST_EVENTS, GruWeights, SessionEncoder, kind_codes
from models.sessions import time_gaps

DEEP, SHORT = 500, 20
MOST_LOST = 0.005
BITS = {"fp32": 32, "fp16": 16, "INT8": 8, "INT4": 4}
TIMED = 2_000

Floats = NDArray[np.float32]


def precision_figures(encoder: SessionEncoder, world: World) -> list[Figure]:
    """A line for each precision, and the CPU of a session of LAST_EVENTS whole and by one more event."""
    ranks = {name: _ranks(encoder, world, name) for name in BITS}
    exact = np.where(ranks["fp32"] <= SHORT, 1.0 / ranks["fp32"], 0.0)
    figures = []
    for name, bits in BITS.items():
        found = np.where(ranks[name] <= SHORT, 1.0 / ranks[name], 0.0)
        lost = 1.0 - found.mean() / exact.mean()
        scales = 4 * (bits < 16)
        size = encoder.item_vectors.shape[1] * bits // 8 + scales
        figures.append(
            Figure(
                f"{name}: {size} bytes an item, network {_network_bytes(encoder.weights, bits) / 1024:.0f} KB",
                f"MRR@{SHORT} {found.mean():.4f}, recall@{DEEP} {np.mean(ranks[name] <= DEEP):.4f}",
                f"fp32 {exact.mean():.4f}, {np.mean(ranks['fp32'] <= DEEP):.4f}; lost {lost:+.2%}",
                float(found.mean() / exact.mean()),
                f"lost < {MOST_LOST:.1%}",
                bool(lost < MOST_LOST),
            )
        )
    return [*figures, *_time_figures(encoder)]


def rounded(values: Floats, name: str) -> Floats:
    """The values as this precision keeps them; of whole numbers each row has its own scale."""
    if name == "fp32":
        return values
    if name == "fp16":
        return values.astype(np.float16).astype(np.float32)
    most = 2 ** (BITS[name] - 1) - 1
    scale = np.abs(values).max(axis=-1, keepdims=True) / most
    return np.asarray(np.rint(values / np.maximum(scale, 1e-12)) * scale, np.float32)


def _ranks(encoder: SessionEncoder, world: World, name: str) -> NDArray[np.float64]:
    """Place of each wanted item among all but the one on the screen."""
    vectors = rounded(encoder.item_vectors.astype(np.float32), name)
    weights = GruWeights(**{one.name: rounded(getattr(encoder.weights, one.name), name) for one in fields(GruWeights)})
    changed = replace(encoder, item_vectors=vectors, weights=weights, network=gru_graph(weights))
    out = np.zeros(len(world.steps.wanted))
    for place, (seen, at) in enumerate(zip(world.steps.seen, world.steps.seen_at, strict=True)):
        rows, gaps = seen[-LAST_EVENTS:], time_gaps(at[-LAST_EVENTS:])
        scores = vectors @ changed.encode(rows, gaps, np.full(len(rows), kind_codes([CLICK])[0]))
        scores[world.closed(seen)] = -np.inf
        out[place] = 1 + np.count_nonzero(scores > scores[world.steps.wanted[place]])
    return out


def _network_bytes(weights: GruWeights, bits: int) -> float:
    arrays = [getattr(weights, one.name) for one in fields(GruWeights)]
    rows = sum(array.shape[0] for array in arrays if array.ndim == 2)
    return sum(array.size for array in arrays) * bits / 8 + 4 * rows * (bits < 16)


def _time_figures(encoder: SessionEncoder) -> list[Figure]:
    rows = np.arange(LAST_EVENTS, dtype=np.int32)
    gaps, kinds = np.full(LAST_EVENTS, 30, np.float32), np.full(LAST_EVENTS, kind_codes([CLICK])[0])
    state = encoder.begin()
    whole, step = [], []
    for _ in range(TIMED):
        begun = time.process_time_ns()
        encoder.encode(rows, gaps, kinds)
        between = time.process_time_ns()
        encoder.vector(encoder.step(state, 3, 30.0, int(kinds[0])))
        whole.append((between - begun) / 1e6)
        step.append((time.process_time_ns() - between) / 1e6)
    middle, one = float(np.median(whole)), float(np.median(step))
    return [
        Figure(f"CPU, {LAST_EVENTS} events, ONNX Runtime fp32", f"{middle:.3f} ms", "", None, "reported"),
        Figure("CPU, one more event from the state, NumPy", f"{one:.3f} ms", "of the whole", one / middle, "reported"),
    ]

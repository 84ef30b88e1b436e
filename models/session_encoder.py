"""A live session as a vector whose product with item vectors foretells what comes next: a GRU of one layer.

Hidasi et al., Session-based Recommendations with Recurrent Neural Networks (2016). Whole sessions go through ONNX
Runtime; one more event goes through NumPy from the state before it, which costs a third.
"""

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput, CorruptData
from contracts.event_contract import EVENT_TYPES
from models.bundle import read_bundle, write_bundle
from models.id_map import IdMap

MADE_BY = "models.encoder_training, see docs/encoder.md"
NETWORK_FILE, NAMES_FILE = "encoder.onnx", "names.json"
LAST_EVENTS = 20
GAP_STEPS = 16  # of doubling seconds before an event: half a day and more are one
OTHER_KIND = len(EVENT_TYPES)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GruWeights:
    """One layer of s units: gates reset, update, new one below the other, as PyTorch orders them.

    `input_weights` and `hidden_weights` float32 [3s, s], their biases [3s]; `output_weights` [s, s] and its bias lead
    from the state to the vector.
    """

    input_weights: Floats
    hidden_weights: Floats
    input_bias: Floats
    hidden_bias: Floats
    output_weights: Floats
    output_bias: Floats

    def step(self, inputs: Floats, state: Floats) -> Floats:
        """The state after one event, float32 [s]."""
        size = len(state)
        given = self.input_weights @ inputs + self.input_bias
        kept = self.hidden_weights @ state + self.hidden_bias
        gates = 1.0 / (1.0 + np.exp(-(given[: 2 * size] + kept[: 2 * size])))
        new = np.tanh(given[2 * size :] + gates[:size] * kept[2 * size :])
        update = gates[size:]
        return np.asarray((1.0 - update) * new + update * state, np.float32)


@dataclass(frozen=True, slots=True)
class SessionEncoder:
    """n items in a space of s dimensions, and the way from a session to a vector in it.

    `item_vectors` float16 [n, s], zeros where an item was in no session; `gap_vectors` and `kind_vectors` float32 are
    added to them by the seconds before an event and by its type. `network` is the ONNX graph of `weights`.
    """

    items: IdMap
    item_vectors: NDArray[np.float16]
    gap_vectors: Floats
    kind_vectors: Floats
    weights: GruWeights
    network: bytes
    figures: Mapping[str, float | int | str]
    _running: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        size = self.item_vectors.shape[1]
        shapes = {
            "item_vectors": (self.item_vectors.shape, (len(self.items), size)),
            "gap_vectors": (self.gap_vectors.shape, (GAP_STEPS, size)),
            "kind_vectors": (self.kind_vectors.shape, (OTHER_KIND + 1, size)),
            "input_weights": (self.weights.input_weights.shape, (3 * size, size)),
        }
        for name, (found, expected) in shapes.items():
            if found != expected:
                raise BadInput(f"{name} of a session encoder has shape {found} and should have {expected}")
        object.__setattr__(self, "_running", _runtime(self.network))

    def encode(self, rows: NDArray[np.int32], gaps: Floats, kinds: NDArray[np.int32]) -> Floats | None:
        """The vector of a session, float32 [s]: of its last known items, oldest first; nothing without any.

        `rows` are -1 where unknown, `gaps` the seconds before each event, `kinds` of `kind_codes`.
        """
        known = np.flatnonzero(rows >= 0)[-LAST_EVENTS:]
        if not len(known):
            return None
        inputs = self._inputs(rows[known], gaps[known], kinds[known])
        state = np.zeros((1, 1, inputs.shape[1]), np.float32)
        vector: Floats = self._running.run(["vector"], {"inputs": inputs[:, None], "state": state})[0][0]
        return vector

    def begin(self) -> Floats:
        """The state before the first event, float32 [s]."""
        return np.zeros(self.item_vectors.shape[1], np.float32)

    def step(self, state: Floats, row: int, gap: float, kind: int) -> Floats:
        """The state after one more event on a known item; a session of any length costs the same."""
        inputs = self._inputs(np.array([row], np.int32), np.array([gap], np.float32), np.array([kind], np.int32))
        return self.weights.step(inputs[0], state)

    def vector(self, state: Floats) -> Floats:
        """The vector of a session in this state."""
        return np.asarray(self.weights.output_weights @ state + self.weights.output_bias, np.float32)

    def aligned_to(self, items: IdMap) -> "SessionEncoder":
        """The same encoder over the rows of another id map, as that of the hour's candidates; zeros for strangers."""
        rows = self.items.rows(items.external_ids)
        vectors = np.zeros((len(items), self.item_vectors.shape[1]), np.float16)
        vectors[rows >= 0] = self.item_vectors[rows[rows >= 0]]
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        return SessionEncoder(**{**own, "items": items, "item_vectors": vectors})

    def save(self, folder: Path) -> str:
        """Write the encoder into `folder` and return its digest."""

        def write_files(partial: Path) -> None:
            for name, array in _arrays(self).items():
                np.save(partial / f"{name}.npy", array, allow_pickle=False)
            names = {"items": self.items.external_ids, "kinds": EVENT_TYPES}
            (partial / NAMES_FILE).write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
            (partial / NETWORK_FILE).write_bytes(self.network)

        return write_bundle(folder, write_files, {"figures": dict(self.figures)})

    @classmethod
    def load(cls, folder: Path) -> "SessionEncoder":
        """Read an encoder whose digests hold and whose event types are today's; MissingInput or CorruptData else."""
        wanted = [*(f"{name}.npy" for name in ARRAYS), NAMES_FILE, NETWORK_FILE]
        manifest, contents = read_bundle(folder, wanted, made_by=MADE_BY)
        names = json.loads(contents[NAMES_FILE])
        if names["kinds"] != list(EVENT_TYPES):
            raise CorruptData(f"{folder} was trained on other event types than this version's; run {MADE_BY}")
        arrays: dict[str, Any] = {
            name: np.load(io.BytesIO(contents[f"{name}.npy"]), allow_pickle=False) for name in ARRAYS
        }
        weights = GruWeights(**{name: arrays[name] for name in WEIGHT_ARRAYS})
        tables = {name: arrays[name] for name in TABLES}
        items = IdMap(tuple(names["items"]))
        return cls(items=items, weights=weights, network=contents[NETWORK_FILE], figures=manifest["figures"], **tables)

    def _inputs(self, rows: NDArray[np.int32], gaps: Floats, kinds: NDArray[np.int32]) -> Floats:
        return np.asarray(
            self.item_vectors[rows].astype(np.float32) + self.gap_vectors[gap_steps(gaps)] + self.kind_vectors[kinds],
            np.float32,
        )


TABLES = ("item_vectors", "gap_vectors", "kind_vectors")
WEIGHT_ARRAYS = tuple(one.name for one in fields(GruWeights))
ARRAYS = (*TABLES, *WEIGHT_ARRAYS)


def gap_steps(gaps: Floats) -> NDArray[np.int64]:
    """Which of GAP_STEPS each time gap falls into: 0 below a second, then one a doubling."""
    steps = np.log2(1.0 + np.maximum(gaps, 0.0)).astype(np.int64)
    return np.asarray(np.minimum(steps, GAP_STEPS - 1), np.int64)


def kind_codes(event_types: Sequence[str]) -> NDArray[np.int32]:
    """The code of each event type, int32; OTHER_KIND for one that the contract does not name."""
    codes = {name: code for code, name in enumerate(EVENT_TYPES)}
    return np.array([codes.get(name, OTHER_KIND) for name in event_types], np.int32)


def _arrays(encoder: SessionEncoder) -> dict[str, NDArray[Any]]:
    return {
        **{name: getattr(encoder, name) for name in TABLES},
        **{name: getattr(encoder.weights, name) for name in WEIGHT_ARRAYS},
    }


def _runtime(network: bytes) -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read by the import, which else keeps a diary at home
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

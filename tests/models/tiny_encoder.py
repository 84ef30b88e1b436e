"""Train the tiny encoder of the tests: `python -m tests.models.tiny_encoder FOLDER` in the trainer's environment.

Thirty items in a ring, and people who go round it a few steps; a two-tower of people with one of three tastes. Prints,
as JSON, how far the export is from PyTorch and what was learned.
`tests/models/tiny_encoder` was made by it.
"""

import json
import sys
from pathlib import Path

import numpy as np

from contracts.event_contract import CLICK
from models.encoder_training import (
    ATTENTION,
    GRU,
    EncoderParameters,
    FittedNetwork,
    as_encoder,
    fit_network,
    unit_vectors,
)
from models.id_map import IdMap
from models.session_encoder import SessionEncoder, kind_codes
from models.sessions import Sessions
from models.two_tower import CONTEXT, TwoTower
from models.two_tower_training import TowerExample, TowerItems, TowerParameters, fit_two_tower

ITEMS, SIZE, PEOPLE, TASTES, SEED = 30, 8, 400, 3, 3


def main(folder: Path) -> None:
    """Fit twice, export, compare."""
    one, other = _fit(), _fit()
    encoder = as_encoder(one, IdMap(tuple(f"i{row:02d}" for row in range(ITEMS))), {"sessions": PEOPLE})
    again = as_encoder(other, encoder.items, {"sessions": PEOPLE})
    attention = _fit(kind=ATTENTION)
    found = {
        "digest": encoder.save(folder),
        "digest_again": again.save(folder.with_name(f"{folder.name}-again")),
        "apart": max(_apart(one, encoder, length) for length in range(1, 6)),
        "attention_hits": sum(
            _follows(attention.item_vectors(), attention.encode(*_session(row, 3)), row + 3) for row in range(ITEMS)
        ),
        "tower_hits": _tower_hits(),
    }
    print(json.dumps(found))  # noqa: T201


def _fit(kind: str = GRU) -> FittedNetwork:
    random = np.random.default_rng(SEED)
    steps = [np.arange(begin, begin + random.integers(2, 6)) % ITEMS for begin in random.integers(0, ITEMS, PEOPLE)]
    codes = np.repeat(np.arange(PEOPLE), [len(one) for one in steps])
    rows = np.concatenate(steps).astype(np.int32)
    sessions = Sessions.of_clicks(codes, rows, codes * 100 + np.arange(len(rows)))
    begin = unit_vectors(random.normal(size=(ITEMS, SIZE)).astype(np.float32))
    parameters = EncoderParameters(
        kind=kind, size=SIZE, epochs=20, batch=32, negatives=20, learning_rate=1e-2, dropout=0.0
    )
    return fit_network(sessions, begin, parameters)


def _tower_hits() -> int:
    """How many of thirty people have an item of their own taste at the top of all that they have not touched."""
    random = np.random.default_rng(SEED)
    examples = []
    for person in range(300):
        own = random.permutation(np.arange(person % TASTES, ITEMS, TASTES))
        context = np.zeros(len(CONTEXT), np.float32)
        examples.append(
            TowerExample(own[:4].astype(np.int32), np.ones(4, np.float32), context, own[4:].astype(np.int32))
        )
    begin = unit_vectors(random.normal(size=(ITEMS, SIZE)).astype(np.float32))
    items = TowerItems(begin, np.full(ITEMS, 10), np.zeros((ITEMS, 1), np.int64))

    def hits(towers: TwoTower) -> float:
        found = 0
        for one in examples[:30]:
            scores = towers.item_vectors @ towers.user_vector(one.rows, one.counts, one.context)
            scores[one.rows] = -np.inf
            found += bool(np.argmax(scores) in one.taken)
        return float(found)

    small = TowerParameters(hidden=8, steps=200, batch=32, negatives=20, learning_rate=1e-2, judged_every=100)
    return int(hits(fit_two_tower(items, examples, hits, small)[0]))


def _session(begin: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    gaps = np.ones(length, np.float32)
    gaps[0] = 0.0
    return ((begin + np.arange(length)) % ITEMS).astype(np.int32), gaps


def _apart(network: FittedNetwork, encoder: SessionEncoder, length: int) -> float:
    rows, gaps = _session(4, length)
    exported = encoder.encode(rows, gaps, np.full(length, kind_codes([CLICK])[0]))
    return float(np.abs(network.encode(rows, gaps) - exported).max())


def _follows(vectors: np.ndarray, query: np.ndarray, wanted: int) -> bool:
    return bool(np.argmax(vectors @ query) == wanted % ITEMS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

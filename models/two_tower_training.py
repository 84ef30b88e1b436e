"""Train a two-tower with PyTorch on what people took to after an instant, given what they had touched before it.

Softmax over sampled items, corrected for how often each is drawn. Needs requirements/trainer.txt; nothing that answers
requests imports it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.two_tower import CONTEXT, MOST_OWN, TwoTower, own_weights

TINY = 1e-12
DRAWN_POWER = 0.75
SHARPNESS = 8.0  # of a product of unit vectors as a logarithm of chances

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TowerParameters:
    """What a fit depends on besides its data."""

    hidden: int = 128
    steps: int = 400
    batch: int = 128
    targets: int = 8
    negatives: int = 2_048
    learning_rate: float = 5e-4
    dropout: float = 0.2
    judged_every: int = 80
    seed: int = 7


@dataclass(frozen=True, slots=True)
class TowerExample:
    """One user as of one instant: rows touched and how often, context [len(CONTEXT)], rows taken to after it."""

    rows: NDArray[np.int32]
    counts: Floats
    context: Floats
    taken: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TowerItems:
    """n items: vectors to begin with [n, s], how often each was taken [n], and codes of attributes [n, attributes]."""

    begin: Floats
    counts: NDArray[np.int64]
    attributes: NDArray[np.int64]


def fit_two_tower(
    items: TowerItems,
    examples: list[TowerExample],
    judge: Callable[[TwoTower], float],
    parameters: TowerParameters = TowerParameters(),
) -> tuple[TwoTower, int]:
    """The towers after the steps at which `judge` found them best, and how many these were."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(parameters.seed)
    layers = _layers(items, parameters)
    optimizer = torch.optim.Adam(layers.parameters(), lr=parameters.learning_rate)
    random = np.random.default_rng(parameters.seed)
    codes = torch.from_numpy(items.attributes)
    best, best_steps, best_worth = _as_towers(layers, codes), 0, -np.inf
    for step in range(parameters.steps + 1):
        if step % parameters.judged_every == 0:
            towers = _as_towers(layers, codes)
            worth = judge(towers)
            if worth > best_worth:
                best, best_steps, best_worth = towers, step, worth
        picked = [examples[place] for place in random.integers(0, len(examples), parameters.batch)]
        loss = _loss(layers, items, picked, random, parameters)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return best, best_steps


def _layers(items: TowerItems, parameters: TowerParameters) -> Any:
    import torch
    from torch import nn

    size = items.begin.shape[1]
    popular = np.log1p(items.counts).astype(np.float32)[:, None]
    tables = [
        nn.Embedding.from_pretrained(torch.zeros(int(items.attributes[:, place].max()) + 1, size), freeze=False)
        for place in range(items.attributes.shape[1])
    ]
    outer = nn.Linear(parameters.hidden, size)
    nn.init.zeros_(outer.weight)  # the first answer is the mean of the user's items
    nn.init.zeros_(outer.bias)
    return nn.ModuleDict(
        {
            "own": nn.Embedding.from_pretrained(torch.from_numpy(items.begin.copy()), freeze=False),
            "scale": nn.Linear(1, size, bias=False),
            "attributes": nn.ModuleList(tables),
            "popular": nn.Embedding.from_pretrained(torch.from_numpy(popular), freeze=False),
            "inner": nn.Linear(size + len(CONTEXT), parameters.hidden),
            "outer": outer,
            "drop": nn.Dropout(parameters.dropout),
        }
    )


def _item_vectors(layers: Any, rows: Any, codes: Any) -> Any:
    import torch

    vectors = layers["own"](rows) * (1.0 + layers["scale"].weight[:, 0])
    for place, table in enumerate(layers["attributes"]):
        vectors = vectors + table(codes[:, place])
    return torch.cat([SHARPNESS * vectors, layers["popular"](rows)], 1)


def _users(layers: Any, picked: list[TowerExample]) -> Any:
    import torch

    kept = [np.argsort(-one.counts, kind="stable")[:MOST_OWN] for one in picked]
    rows = torch.from_numpy(np.concatenate([one.rows[k] for one, k in zip(picked, kept, strict=True)]).astype(np.int64))
    weights = np.concatenate([own_weights(one.counts[k]) for one, k in zip(picked, kept, strict=True)])
    begins = torch.from_numpy(np.cumsum([0, *(len(k) for k in kept[:-1])]))
    pooled = torch.nn.functional.embedding_bag(
        rows, layers["own"].weight, begins, mode="sum", per_sample_weights=torch.from_numpy(weights)
    )
    context = torch.from_numpy(np.stack([one.context for one in picked]))
    hidden = layers["drop"](torch.relu(layers["inner"](torch.cat([pooled, context], 1))))
    users = pooled + layers["outer"](hidden)
    return torch.cat([users, torch.ones(len(picked), 1)], 1)


def _loss(
    layers: Any,
    items: TowerItems,
    picked: list[TowerExample],
    random: np.random.Generator,
    parameters: TowerParameters,
) -> Any:
    import torch
    from torch.nn.functional import cross_entropy

    chances = items.counts**DRAWN_POWER / max(float((items.counts**DRAWN_POWER).sum()), TINY)
    log_expected = torch.from_numpy(np.log(np.maximum(chances * parameters.negatives, TINY)).astype(np.float32))
    drawn = random.choice(len(chances), parameters.negatives, p=chances)
    taken = np.concatenate([random.choice(one.taken, parameters.targets) for one in picked])
    drawn_rows, taken_rows = torch.from_numpy(drawn), torch.from_numpy(taken.astype(np.int64))
    users = _users(layers, picked).repeat_interleave(parameters.targets, 0)
    codes = torch.from_numpy(items.attributes)
    right = (users * _item_vectors(layers, taken_rows, codes[taken_rows])).sum(1) - log_expected[taken_rows]
    wrong = users @ _item_vectors(layers, drawn_rows, codes[drawn_rows]).T - log_expected[drawn_rows]
    wrong = wrong.masked_fill(drawn_rows[None] == taken_rows[:, None], -1e9)
    return cross_entropy(torch.cat([right[:, None], wrong], 1), torch.zeros(len(taken_rows), dtype=torch.long))


def _as_towers(layers: Any, codes: Any) -> TwoTower:
    import torch

    with torch.no_grad():
        vectors = _item_vectors(layers, torch.arange(len(codes)), codes)
        return TwoTower(
            *(
                np.array(one.detach().numpy(), np.float32)
                for one in (
                    layers["own"].weight,
                    vectors,
                    layers["inner"].weight,
                    layers["inner"].bias,
                    layers["outer"].weight,
                    layers["outer"].bias,
                )
            )
        )

"""Train a session encoder with PyTorch: the vector after each event is drawn towards the item that came next.

Hidasi et al., Session-based Recommendations with Recurrent Neural Networks (2016); Kang and McAuley, Self-Attentive
Sequential Recommendation (2018). A softmax over sampled items, corrected for how often each is drawn (Bengio and
Senécal 2008). Needs requirements/trainer.txt; nothing that answers requests imports it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput
from contracts.event_contract import CLICK
from models.encoder_export import gru_graph
from models.encoder_windows import Windows, batches, cut_windows
from models.id_map import IdMap
from models.session_encoder import GAP_STEPS, OTHER_KIND, GruWeights, SessionEncoder, gap_steps, kind_codes
from models.sessions import Sessions

GRU, ATTENTION = "gru", "attention"
KINDS = (GRU, ATTENTION)
DRAWN_POWER = 0.75  # of popularity, by which wrong items are drawn
WARM_UP_SHARE = 0.1  # of the steps in which the learning rate rises
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class EncoderParameters:
    """What a fit depends on besides its data; `blocks` and `heads` matter to attention alone.

    `shuffled`: the order within a session says nothing, as in a basket, so each epoch draws another. `frozen`: the
    item vectors given at the start stay as they are.
    """

    kind: str = GRU
    size: int = 64
    length: int = 20
    blocks: int = 2
    heads: int = 2
    epochs: int = 8
    batch: int = 128
    negatives: int = 2_048
    learning_rate: float = 2e-3
    dropout: float = 0.25
    shuffled: bool = False
    frozen: bool = False
    seed: int = 7

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadInput(f"an encoder of kind {self.kind!r} was asked for; there is {' and '.join(KINDS)}")


@dataclass(frozen=True, slots=True)
class FittedNetwork:
    """PyTorch's layers and the parameters that they were made by."""

    layers: Any
    parameters: EncoderParameters

    def item_vectors(self) -> NDArray[np.float32]:
        """The item table, float32 [items, size]; it is input and output."""
        return np.array(self.layers["item_table"].weight.detach().numpy(), np.float32)

    def encode(self, rows: NDArray[np.int32], gaps: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vector of one session of clicks, by PyTorch: what an export is held against."""
        import torch

        last = slice(-self.parameters.length, None)
        kinds = np.full(len(rows[last]), kind_codes([CLICK])[0], np.int64)
        columns = (rows[last].astype(np.int64), gap_steps(gaps[last]), kinds)
        with torch.no_grad():
            found = _hidden(self.layers, self.parameters, *(torch.from_numpy(one)[None] for one in columns))
        return np.array(found[0, -1].numpy(), np.float32)


def unit_vectors(factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors of length one; a start from those of ALS over sessions is worth more than any other choice."""
    lengths = np.linalg.norm(factors, axis=1, keepdims=True)
    return np.asarray(factors / np.maximum(lengths, TINY), np.float32)


def fit_network(
    sessions: Sessions,
    begin: NDArray[np.float32],
    parameters: EncoderParameters = EncoderParameters(),
    kinds: NDArray[np.int32] | None = None,
) -> FittedNetwork:
    """Fit on sessions; `begin` float32 [items, size] are the item vectors at the start, `kinds` the clicks' types.

    Without `kinds` every event is a click. One thread, seeded: the same input gives the same layers on one machine.
    """
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(parameters.seed)
    layers = _layers(begin, parameters)
    windows = cut_windows(sessions, parameters.length, kinds)
    random = np.random.default_rng(parameters.seed)
    draw = _Draw.of(np.bincount(sessions.item_rows, minlength=len(begin)), parameters.negatives, random)
    learned = [one for one in layers.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=parameters.learning_rate)
    steps = max(1, parameters.epochs * -(-len(windows.rows) // parameters.batch))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, parameters.learning_rate, total_steps=steps, pct_start=WARM_UP_SHARE
    )
    for _ in range(parameters.epochs):
        for batch in batches(windows, parameters.batch, random):
            loss = _loss(layers, parameters, batch.shuffled(random) if parameters.shuffled else batch, draw)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    layers.eval()
    return FittedNetwork(layers, parameters)


def as_encoder(network: FittedNetwork, items: IdMap, figures: dict[str, float | int | str]) -> SessionEncoder:
    """A fitted GRU as what serves: arrays and an ONNX graph. Items of no session keep their begun vectors."""
    if network.parameters.kind != GRU:
        raise BadInput(f"an encoder of kind {network.parameters.kind!r} cannot serve; fit one of kind {GRU!r}")
    state = {name: np.array(one.numpy(), np.float32) for name, one in network.layers.state_dict().items()}
    weights = GruWeights(
        input_weights=state["gru.weight_ih_l0"],
        hidden_weights=state["gru.weight_hh_l0"],
        input_bias=state["gru.bias_ih_l0"],
        hidden_bias=state["gru.bias_hh_l0"],
        output_weights=state["out.weight"],
        output_bias=state["out.bias"],
    )
    return SessionEncoder(
        items=items,
        item_vectors=state["item_table.weight"].astype(np.float16),
        gap_vectors=state["gap_table.weight"],
        kind_vectors=state["kind_table.weight"],
        weights=weights,
        network=gru_graph(weights),
        figures=figures,
    )


@dataclass(frozen=True, slots=True)
class _Draw:
    """Wrong items by popularity, and the logarithm of how often each is expected in a draw."""

    cumulated: NDArray[np.float64]
    log_expected: Any
    count: int
    random: np.random.Generator

    @classmethod
    def of(cls, counts: NDArray[np.int64], count: int, random: np.random.Generator) -> "_Draw":
        import torch

        chances = counts**DRAWN_POWER / np.maximum((counts**DRAWN_POWER).sum(), TINY)
        expected = np.log(np.maximum(chances * count, TINY)).astype(np.float32)
        return cls(np.cumsum(chances), torch.from_numpy(expected), count, random)

    def take(self) -> Any:
        import torch

        found = np.searchsorted(self.cumulated, self.random.random(self.count))
        return torch.from_numpy(found.clip(0, len(self.cumulated) - 1))


def _layers(begin: NDArray[np.float32], parameters: EncoderParameters) -> Any:
    import torch
    from torch import nn

    size = parameters.size
    if begin.shape[1] != size:
        raise BadInput(f"item vectors to begin with have {begin.shape[1]} dimensions and the encoder takes {size}")
    layers = nn.ModuleDict(
        {
            "item_table": nn.Embedding.from_pretrained(torch.from_numpy(begin.copy()), freeze=parameters.frozen),
            "gap_table": nn.Embedding.from_pretrained(torch.zeros(GAP_STEPS, size), freeze=False),
            "kind_table": nn.Embedding.from_pretrained(torch.zeros(OTHER_KIND + 1, size), freeze=False),
            "drop": nn.Dropout(parameters.dropout),
            "out": nn.Linear(size, size),
        }
    )
    if parameters.kind == GRU:
        layers["gru"] = nn.GRU(size, size, batch_first=True)
        return layers
    layers["places"] = nn.Embedding.from_pretrained(0.02 * torch.randn(parameters.length, size), freeze=False)
    block = nn.TransformerEncoderLayer(
        size, parameters.heads, 2 * size, parameters.dropout, "gelu", batch_first=True, norm_first=True
    )
    layers["attention"] = nn.TransformerEncoder(block, parameters.blocks, enable_nested_tensor=False)
    return layers


def _hidden(layers: Any, parameters: EncoderParameters, rows: Any, gaps: Any, kinds: Any) -> Any:
    """The vector after each event, [batch, length, size]."""
    from torch import nn

    inputs = layers["drop"](layers["item_table"](rows) + layers["gap_table"](gaps) + layers["kind_table"](kinds))
    if parameters.kind == GRU:
        return layers["out"](layers["drop"](layers["gru"](inputs)[0]))
    length = inputs.shape[1]
    mask = nn.Transformer.generate_square_subsequent_mask(length)
    return layers["out"](layers["attention"](inputs + layers["places"].weight[:length], mask=mask, is_causal=True))


def _loss(layers: Any, parameters: EncoderParameters, batch: Windows, draw: _Draw) -> Any:
    import torch
    from torch.nn.functional import cross_entropy

    real = torch.from_numpy(batch.rows[:, 1:] >= 0)
    seen = (np.maximum(batch.rows, 0)[:, :-1], batch.gaps[:, :-1], batch.kinds[:, :-1])
    queries = _hidden(layers, parameters, *(torch.from_numpy(one) for one in seen))[real]
    wanted = torch.from_numpy(batch.rows[:, 1:])[real]
    drawn = draw.take()
    right = (queries * layers["item_table"](wanted)).sum(1) - draw.log_expected[wanted]
    wrong = queries @ layers["item_table"](drawn).T - draw.log_expected[drawn]
    wrong = wrong.masked_fill(drawn[None] == wanted[:, None], -1e9)  # the right item may be drawn too
    scores = torch.cat([right[:, None], wrong], 1)
    return cross_entropy(scores, torch.zeros(len(wanted), dtype=torch.long))

"""Second stage: LightGBM lambdarank, trained deterministically, kept as text behind digests.

Burges, From RankNet to LambdaRank to LambdaMART (2010).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import BadInput, CorruptData
from contracts.features import FEATURE_ORDER
from models.bundle import read_bundle, write_bundle

if TYPE_CHECKING:
    import lightgbm as lgb

MADE_BY = "python -m headrace train"
MODEL_FILE, SESSION_FILE, NOTES_FILE = "model.txt", "session.txt", "ranker.json"


@dataclass(frozen=True, slots=True)
class RankerParameters:
    """What training depends on besides its data."""

    trees: int = 200
    leaves: int = 31
    learning_rate: float = 0.05
    least_rows_a_leaf: int = 50
    seed: int = 7


def train_ranker(
    features: NDArray[np.float32],
    labels: NDArray[np.int32],
    group_sizes: NDArray[np.int32],
    parameters: RankerParameters = RankerParameters(),
) -> "lgb.Booster":
    """Train on rows [n, len(FEATURE_ORDER)] grouped by user; labels are grades 0, 1, …, 30.

    Same rows, same trees: one thread layout, row-wise histograms, fixed seeds.
    """
    import lightgbm as lgb

    if len(features) == 0 or labels.max(initial=0) == 0:
        raise BadInput(f"{len(features)} rows with no positive label were given to the ranker; widen the label window")
    options: dict[str, Any] = {
        "objective": "lambdarank",
        "num_leaves": parameters.leaves,
        "learning_rate": parameters.learning_rate,
        "min_data_in_leaf": min(parameters.least_rows_a_leaf, max(1, len(features) // 100)),
        "lambdarank_truncation_level": 20,
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "seed": parameters.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 2,
        "verbosity": -1,
    }
    if sum(group_sizes) != len(features):
        raise BadInput(f"groups of the ranker sum to {sum(group_sizes)} for {len(features)} rows; count rows a user")
    data = lgb.Dataset(features, labels, group=group_sizes, feature_name=list(FEATURE_ORDER), free_raw_data=True)
    return lgb.train(options, data, num_boost_round=parameters.trees)


@dataclass(frozen=True, slots=True)
class RankerBundle:
    """A trained ranker; `label_end_at` is ISO 8601, the end of the newest events that it or its gate has seen.

    `session_text` are the trees for people in the middle of a session; "" where no session taught any, and then those
    of everybody serve.
    """

    model_text: str
    label_end_at: str
    figures: Mapping[str, float | int | str]
    digest: str = ""
    session_text: str = ""

    def save(self, folder: Path) -> str:
        """Write the bundle into `folder` and return its digest."""

        def write_files(partial: Path) -> None:
            (partial / MODEL_FILE).write_bytes(self.model_text.encode())
            if self.session_text:
                (partial / SESSION_FILE).write_bytes(self.session_text.encode())
            (partial / NOTES_FILE).write_text(json.dumps({"feature_order": FEATURE_ORDER}), encoding="utf-8")

        return write_bundle(folder, write_files, {"label_end_at": self.label_end_at, "figures": dict(self.figures)})

    @classmethod
    def load(cls, folder: Path) -> "RankerBundle":
        """Read a bundle whose digests hold and whose features are today's, in today's order."""
        # digests come before parsing: a strange model text can crash LightGBM
        manifest, contents = read_bundle(folder, (MODEL_FILE, NOTES_FILE), made_by=MADE_BY, if_listed=(SESSION_FILE,))
        order = tuple(json.loads(contents[NOTES_FILE])["feature_order"])
        if order != FEATURE_ORDER:
            strange = sorted(set(order) ^ set(FEATURE_ORDER)) or ["their order"]
            raise CorruptData(
                f"{folder} was trained on other features ({', '.join(strange[:5])}); train again: {MADE_BY}"
            )
        text, session_text = contents[MODEL_FILE].decode(), contents.get(SESSION_FILE, b"").decode()
        return cls(text, manifest["label_end_at"], manifest["figures"], manifest["digest"], session_text)

    def of_session(self) -> "RankerBundle | None":
        """The trees for people in the middle of a session as a bundle of their own."""
        return replace(self, model_text=self.session_text, session_text="") if self.session_text else None

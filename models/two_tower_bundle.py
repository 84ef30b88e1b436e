"""A two-tower on disk: arrays and ids, of which nothing is parsed before its digest was checked."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from contracts.errors import CorruptData
from models.bundle import read_bundle, write_bundle
from models.id_map import IdMap
from models.two_tower import CONTEXT, TwoTower

MADE_BY = "models.two_tower_training, see docs/encoder.md"
NAMES_FILE = "names.json"
ARRAYS = tuple(one.name for one in fields(TwoTower))
BY_ITEM = ("own_vectors", "item_vectors")


@dataclass(frozen=True, slots=True)
class TowerBundle:
    """Towers over the rows of `items`; `figures` are what was measured when they were trained."""

    items: IdMap
    towers: TwoTower
    figures: Mapping[str, float | int | str]

    def aligned_to(self, items: IdMap) -> "TowerBundle":
        """The same towers over the rows of another id map, as that of the hour's candidates; zeros for strangers."""
        rows = self.items.rows(items.external_ids)
        moved: dict[str, Any] = {}
        for name in BY_ITEM:
            old = getattr(self.towers, name)
            moved[name] = np.where((rows >= 0)[:, None], old[rows], np.float32(0.0))
        return replace(self, items=items, towers=replace(self.towers, **moved))

    def save(self, folder: Path) -> str:
        """Write the towers into `folder`, item by item in fp16, and return the digest."""

        def write_files(partial: Path) -> None:
            for name in ARRAYS:
                values = getattr(self.towers, name)
                kept = values.astype(np.float16) if name in BY_ITEM else values
                np.save(partial / f"{name}.npy", kept, allow_pickle=False)
            names = {"items": self.items.external_ids, "context": CONTEXT}
            (partial / NAMES_FILE).write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")

        return write_bundle(folder, write_files, {"figures": dict(self.figures)})

    @classmethod
    def load(cls, folder: Path) -> "TowerBundle":
        """Read towers whose digests hold and whose context is today's; MissingInput or CorruptData otherwise."""
        wanted = [*(f"{name}.npy" for name in ARRAYS), NAMES_FILE]
        manifest, contents = read_bundle(folder, wanted, made_by=MADE_BY)
        names = json.loads(contents[NAMES_FILE])
        if names["context"] != list(CONTEXT):
            raise CorruptData(f"{folder} was trained on another context than this version's; make it by {MADE_BY}")
        arrays: dict[str, Any] = {
            name: np.load(io.BytesIO(contents[f"{name}.npy"]), allow_pickle=False).astype(np.float32) for name in ARRAYS
        }
        return cls(IdMap(tuple(names["items"])), TwoTower(**arrays), manifest["figures"])

"""What the manifests of bundles say: figures, features, sizes; nothing of a model is loaded."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import MissingInput
from contracts.settings import Layout
from models.bundle import DIGEST, FILES, MANIFEST_FILE, read_manifest
from models.ranker import NOTES_FILE as RANKER_NOTES

RANKER, CANDIDATES = "ranker", "candidates"
MADE_BY = {RANKER: "python -m headrace train", CANDIDATES: "python -m headrace hour"}
FIGURES, FEATURE_ORDER = "figures", "feature_order"


@dataclass(frozen=True, slots=True)
class ModelNote:
    """One bundle as its manifest tells it; `figures` are its manifest's words and numbers, flat."""

    kind: str
    key: str
    digest: str
    figures: dict[str, Any]
    features: tuple[str, ...]
    file_bytes: dict[str, int]

    @property
    def name(self) -> str:
        """How the command line names it."""
        return f"{self.kind}/{self.key}"

    @property
    def total_bytes(self) -> int:
        """Bytes of all files that the manifest lists."""
        return sum(self.file_bytes.values())


def read_notes(root: Path) -> list[ModelNote]:
    """Every finished bundle under a root, rankers first, newest first."""
    return [read_note(kind, folder) for kind, place in places(root).items() for folder in _finished(place)]


def find_note(root: Path, name: str) -> ModelNote:
    """The bundle named `ranker/KEY`, `candidates/KEY` or KEY alone; MissingInput lists those that are near."""
    kind, _, key = name.rpartition("/")
    for known_kind, place in places(root).items():
        if kind in ("", known_kind) and key and (place / key / MANIFEST_FILE).exists():
            return read_note(known_kind, place / key)
    there = [f"{known}/{folder.name}" for known, place in places(root).items() for folder in _finished(place)]
    raise MissingInput(f"no bundle {name!r} under {root}; there are: {', '.join(there[:8]) or 'none, run an hour'}")


def read_note(kind: str, folder: Path) -> ModelNote:
    """Read one bundle's manifest, and the order of features where it keeps one."""
    manifest = read_manifest(folder, made_by=MADE_BY[kind])
    plain = {name: value for name, value in manifest.items() if name not in (DIGEST, FILES, FIGURES)}
    order = folder / RANKER_NOTES
    features = tuple(json.loads(order.read_text())[FEATURE_ORDER]) if order.exists() else ()
    sizes = {name: (folder / name).stat().st_size for name in sorted(manifest[FILES]) if (folder / name).exists()}
    figures = {**plain, **manifest.get(FIGURES, {})}
    return ModelNote(kind, folder.name, str(manifest[DIGEST]), figures, features, sizes)


def places(root: Path) -> dict[str, Path]:
    """Folder of each kind of bundle."""
    layout = Layout(root)
    return {RANKER: layout.rankers, CANDIDATES: layout.candidates}


def _finished(place: Path) -> list[Path]:
    folders = (folder for folder in place.glob("[!.]*") if (folder / MANIFEST_FILE).exists())
    return sorted(folders, reverse=True)

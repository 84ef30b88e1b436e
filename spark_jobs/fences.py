"""Fences: numbers that only grow, one a writer of the pointer, claimed in the store and kept in the lake.

A folder under `fences/` says that a version's keys may lie in the store; it goes when they are gone.
The highest stays for good, so that a rebuilt, empty server does not start again at one.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.lake import INTERVAL
from contracts.manifest import FILE_NAME, Manifest
from contracts.redis_layout import version_name
from spark_jobs.redis_store import Store

FENCES, FENCE, VERSION = "fences", "fence", "version"
FLIP_TRIES = 5  # each is lost to another writer that flipped in between
CLAIM_JOB, MADE_BY = "claim_fence", "python -m headrace hour"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one writer to flip the pointer, until another claims after it."""

    fence: int
    interval: str

    @property
    def version(self) -> str:
        """Name of the version that this writer writes."""
        return version_name(self.interval, self.fence)


def claim_fence(lake: Path, store: Store, interval_key: str) -> Claim:
    """Claim the next fence: above the pointer's, above all of this store and all of this lake."""
    pointer = store.readable_pointer()  # one that is not readable gives way to a forced publish
    floor = max(highest_fence(lake), pointer.fence if pointer else 0)
    while True:
        claim = Claim(store.raise_fence(floor), interval_key)
        try:
            folder_of(lake, claim.fence).mkdir(parents=True)
        except FileExistsError:  # a writer at another store, or at this one before it was emptied
            floor = claim.fence
            continue
        _note(lake, claim, Manifest(CLAIM_JOB, 0, claim.version))
        return claim


def note_published(lake: Path, claim: Claim, manifest: Manifest) -> None:
    """Keep a version's figures for as long as its keys; nothing when the claim was forgotten."""
    if folder_of(lake, claim.fence).exists():
        _note(lake, claim, manifest)


def version_figures(lake: Path, version: str) -> dict[str, float | int | str]:
    """What was noted of a version; empty when nothing was."""
    folder = folder_of(lake, int(version.rpartition(".")[2]))
    return Manifest.read(folder, made_by=MADE_BY).figures if (folder / FILE_NAME).exists() else {}


def claims(lake: Path) -> list[Claim]:
    """Every claim that the lake still knows, oldest first; one killed before it could say its interval is not here."""
    found = []
    for fence in _fences(lake):
        if (folder_of(lake, fence) / FILE_NAME).exists():
            manifest = Manifest.read(folder_of(lake, fence), made_by=MADE_BY)
            found.append(Claim(fence, str(manifest.figures[INTERVAL])))
    return found


def forget(lake: Path, claim: Claim) -> None:
    """Remove the note of a version whose keys are gone; the highest fence is never forgotten."""
    if claim.fence < highest_fence(lake):
        shutil.rmtree(folder_of(lake, claim.fence), ignore_errors=True)


def highest_fence(lake: Path) -> int:
    """The highest fence ever claimed with this lake; 0 before the first."""
    return max(_fences(lake), default=0)


def folder_of(lake: Path, fence: int) -> Path:
    """Folder of one claim."""
    return lake / FENCES / f"{FENCE}={fence}"


def _fences(lake: Path) -> list[int]:
    names = (folder.name.partition("=")[2] for folder in (lake / FENCES).glob(f"{FENCE}=*"))
    return sorted(int(name) for name in names if name.isdigit())


def _note(lake: Path, claim: Claim, manifest: Manifest) -> None:
    figures = manifest.figures | {VERSION: claim.version, INTERVAL: claim.interval}
    replace(manifest, figures=figures).write(folder_of(lake, claim.fence))

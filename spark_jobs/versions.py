"""The versions that lie in the store, and the way back to the one before."""

from dataclasses import dataclass
from pathlib import Path

from contracts.errors import MissingInput, StaleWriter
from contracts.lake import INTERVAL, OVERALL
from contracts.manifest import FILE_NAME, Manifest
from contracts.redis_layout import Pointer, popular_key
from contracts.settings import Layout, Settings
from spark_jobs.fences import FLIP_TRIES, claim_fence, version_figures
from spark_jobs.passed_check import PUBLISHES
from spark_jobs.redis_store import Store, open_store

SERVING, PREVIOUS = "serving", "previous"
Figures = dict[str, float | int | str]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version: its role now, and what its publisher noted of it (nothing when it was killed before it could)."""

    version: str
    role: str
    interval: str
    generated_at: str
    figures: Figures


def list_versions(settings: Settings) -> list[VersionRow]:
    """The serving version, the one to roll back to, then the latest publish of each hour, newest hour first."""
    lake = Layout(settings.root).lake
    with open_store(settings) as store:
        pointer = store.pointer()
    rows = _rows_of(pointer, lake) if pointer else []
    named = {row.version for row in rows}
    return rows + [row for row in _published(lake) if row.version not in named]


def roll_back(settings: Settings) -> Pointer:
    """Serve the previous version again, under a new fence; a second call returns to where the first began.

    MissingInput when there is no previous version or its keys have expired.
    """
    lake = Layout(settings.root).lake
    with open_store(settings) as store:
        _require_previous(store)
        claim = claim_fence(lake, store, "")  # a writer that was on its way is fenced off: the operator's word is last
        for _ in range(FLIP_TRIES):
            found = store.raw_pointer()
            back = turn_back(Pointer.decode(found), claim.fence)
            if store.flip(found, back):
                return back
    raise StaleWriter(f"the pointer of {store.address} moved {FLIP_TRIES} times meanwhile; roll back again")


def turn_back(pointer: Pointer, fence: int) -> Pointer:
    """The pointer that serves what `pointer` calls previous."""
    now = (pointer.version, pointer.interval, pointer.generated_at)
    return Pointer(pointer.previous, fence, pointer.previous_interval, pointer.previous_generated_at, *now)


def _require_previous(store: Store) -> None:
    pointer = store.pointer()
    if pointer is None or not pointer.previous:
        raise MissingInput(f"{store.address} has no previous version to roll back to; republish an hour that was good")
    if not store.client.exists(popular_key(pointer.previous, OVERALL, "")):
        raise MissingInput(
            f"{pointer.previous} was asked for and its keys have expired at {store.address}; publish its hour again: "
            f"python -m spark_jobs.publish --republish, for {pointer.previous_interval}"
        )


def _rows_of(pointer: Pointer, lake: Path) -> list[VersionRow]:
    current = (pointer.version, SERVING, pointer.interval, pointer.generated_at)
    before = (pointer.previous, PREVIOUS, pointer.previous_interval, pointer.previous_generated_at)
    return [VersionRow(*row, version_figures(lake, row[0])) for row in (current, before) if row[0]]


def _published(lake: Path) -> list[VersionRow]:
    rows = []
    for folder in sorted((lake / PUBLISHES).glob(f"{INTERVAL}=*"), reverse=True):
        if (folder / FILE_NAME).exists():
            figures = Manifest.read(folder, made_by="python -m headrace hour").figures
            version, generated_at = (str(figures.get(name, "")) for name in ("version", "generated_at"))
            rows.append(
                VersionRow(version, str(figures["outcome"]), folder.name.partition("=")[2], generated_at, figures)
            )
    return rows

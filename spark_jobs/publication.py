"""One version on its way from the lake to the pointer; killed anywhere, readers see the old one whole or this one."""

import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from contracts.errors import CorruptData, StaleWriter, StoreRefused
from contracts.intervals import format_instant
from contracts.lake import LISTS
from contracts.manifest import Manifest
from contracts.redis_layout import Pointer
from spark_jobs.context import JobContext, Stopwatch
from spark_jobs.fences import FLIP_TRIES, Claim, forget
from spark_jobs.passed_check import require_passed_check
from spark_jobs.redis_store import Store, assess, put_off
from spark_jobs.redis_writer import Entry, PackedWriter
from spark_jobs.version_entries import KINDS, Kind, VersionName, entries_of
from spark_jobs.version_room import estimate_bytes
from spark_jobs.version_sweep import remove_version, sweep_versions

SAMPLES_PER_KIND = 50

OnStep = Callable[[str], None]
logger = logging.getLogger(__name__)


def is_superseded(pointer: Pointer | None, interval_key: str) -> bool:
    """Whether a newer hour serves."""
    return pointer is not None and pointer.interval > interval_key


def next_pointer(current: Pointer | None, claim: Claim, generated_at: str) -> Pointer:
    """The pointer that follows `current`; StaleWriter when that was set under the same or a higher fence."""
    if current is None:
        return Pointer(claim.version, claim.fence, claim.interval, generated_at)
    if current.fence >= claim.fence:
        raise StaleWriter(
            f"{claim.version} was to be served and {current.version} was set meanwhile under fence {current.fence}; "
            "publish again"
        )
    before = (current.version, current.interval, current.generated_at)
    return Pointer(claim.version, claim.fence, claim.interval, generated_at, *before)


@dataclass(slots=True)
class Tally:
    """What was written, and a sample of it to read back."""

    keys: int = 0
    bytes: int = 0
    users: int = 0
    list_seconds: float = 0.0
    sample: list[Entry] = field(default_factory=list)

    def count(self, entries: Iterable[Entry], *, stride: int, on_sample: Callable[[], None]) -> Iterator[Entry]:
        """Pass entries on; every `stride`-th is kept, and `on_sample` called."""
        for entry in entries:
            yield entry
            if self.keys % stride == 0:
                self.sample.append(entry)
                on_sample()
            self.keys += 1
            self.bytes += len(entry[0]) + len(entry[1])

    @property
    def figures(self) -> dict[str, float | int | str]:
        """Numbers for the manifest."""
        speed = round(self.users / self.list_seconds) if self.list_seconds else 0
        return {"keys": self.keys, "bytes": self.bytes, "users": self.users, "users_per_second": speed}


@dataclass(slots=True)
class Publication:
    """One version on its way from the lake to the pointer."""

    context: JobContext
    store: Store
    claim: Claim
    republish: bool
    on_step: OnStep
    tally: Tally = field(default_factory=Tally)
    flip_in_doubt: bool = False

    @property
    def name(self) -> VersionName:
        """What stands in every key and answer."""
        return VersionName(self.claim.version, format_instant(self.context.interval.end_at))

    def perform(self, inputs: dict[str, str]) -> bool:
        """Write, read back, flip, remove what no longer serves; False when a newer hour came first."""
        self.on_step("claimed")
        served = False
        try:
            sweep_versions(self.context.lake, self.store, self.claim)
            self.on_step("swept")
            assess(self.store, estimate_bytes(self.context.lake, self.context.key, name=self.name))
            processes = self.store.run_ids()
            self._write()
            self._read_back()
            self._require_unchanged(inputs, processes)
            self.on_step("verified")
            served = self._flip()
            self.on_step("flipped")
        finally:
            if not served and not self.flip_in_doubt:
                self._abandon()
        sweep_versions(self.context.lake, self.store, self.claim)
        self.on_step("removed")
        return served

    def _write(self) -> None:
        with PackedWriter(self.store) as writer:
            for kind in KINDS:
                watch, before = Stopwatch(), self.tally.keys
                writer.write(self._counted(kind), self.context.settings.list_ttl_seconds)
                if kind.table == LISTS:
                    self.tally.users, self.tally.list_seconds = self.tally.keys - before, watch.seconds
                self.on_step(f"wrote {kind.table.name}")

    def _counted(self, kind: Kind) -> Iterator[Entry]:
        lake, key = self.context.lake, self.context.key
        rows = Manifest.read(kind.table.partition(lake, key), made_by=f"python -m headrace hour {key}").rows
        on_sample = functools.partial(self.on_step, f"writing {kind.table.name}")
        entries = entries_of(kind, lake, interval_key=key, name=self.name)
        return self.tally.count(entries, stride=max(1, rows // SAMPLES_PER_KIND), on_sample=on_sample)

    def _read_back(self) -> None:
        for key, value in self.tally.sample:
            if self.store.client.get(key) != value:
                raise StoreRefused(
                    f"{key} was written to {self.store.address} and reads back otherwise; the version is not served. "
                    "Look for a second writer of these keys, or for a failover, and publish again"
                )

    def _require_unchanged(self, inputs: dict[str, str], processes: dict[str, str]) -> None:
        if require_passed_check(self.context.lake, self.context.key) != inputs:
            raise StaleWriter(f"partitions of {self.context.key} were made again while published; publish again")
        if self.store.run_ids() != processes:
            raise StoreRefused(
                f"{self.store.address} was restarted or failed over while {self.claim.version} was written, "
                "which may be incomplete and is not served; publish again"
            )

    def _flip(self) -> bool:
        for _ in range(FLIP_TRIES):
            found = self.store.raw_pointer()
            current = self._decode(found)
            if is_superseded(current, self.claim.interval) and not self.republish:
                logger.info("event=left_alone interval=%s pointer=%s", self.claim.interval, current)
                return False
            new = next_pointer(current, self.claim, self.name.generated_at)
            self.flip_in_doubt = True  # from here until the answer, a lost connection may mean either
            flipped = self.store.flip(found, new)
            self.flip_in_doubt = False
            if flipped:
                return True
        raise StaleWriter(f"the pointer of {self.store.address} moved {FLIP_TRIES} times meanwhile; publish again")

    def _decode(self, found: bytes) -> Pointer | None:
        try:
            return Pointer.decode(found) if found else None
        except CorruptData:
            if self.republish:
                return None
            raise

    def _abandon(self) -> None:
        with put_off("remove_abandoned_version"):
            remove_version(self.context.lake, self.store, self.claim)
            forget(self.context.lake, self.claim)

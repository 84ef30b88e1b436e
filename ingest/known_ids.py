"""Which ids an hour already has: 8 bytes an id in memory for the hours in use, the files for the last word."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

Hashes = NDArray[np.int64]
MAX_IDS = 16_000_000  # 128 MB; hours beyond are read again when they are needed


@dataclass(frozen=True, slots=True)
class _Hour:
    """Sorted hashes of all ids in some files."""

    names: tuple[str, ...]
    hashes: Hashes


class KnownIds:
    """Remembers hours by folder and files, so that a folder changed by somebody else is read anew."""

    def __init__(self, column: str, *, max_ids: int = MAX_IDS, hash_of: Callable[[str], int] = hash) -> None:
        self._column = column
        self._max_ids = max_ids
        self._hash_of = hash_of
        self._hours: OrderedDict[Path, _Hour] = OrderedDict()

    def unknown(self, ids: pa.Array, folder: Path, names: Sequence[str]) -> NDArray[np.bool_]:
        """For each id whether the files of a folder lack it."""
        if not names:
            return np.ones(len(ids), np.bool_)
        hashes = self._hashes(ids)
        held = self._hour(folder, tuple(names)).hashes
        places = np.minimum(np.searchsorted(held, hashes), len(held) - 1)
        unknown = held[places] != hashes if len(held) else np.ones(len(ids), np.bool_)
        suspects = np.flatnonzero(~unknown)
        if len(suspects):  # the same hash is almost surely the same id; the files know
            found = pc.is_in(ids.take(pa.array(suspects)), value_set=self._read(folder, names))
            unknown[suspects] = ~np.asarray(found)
        return unknown

    def remember(self, folder: Path, before: Sequence[str], after: Sequence[str], ids: pa.Array) -> None:
        """Note ids that were added to a folder, which has the files `after` now."""
        held = self._hours.pop(folder, _Hour((), np.empty(0, np.int64)))
        if held.names != tuple(before):
            return  # not in memory; whoever asks reads the files
        merged = np.concatenate([held.hashes, self._hashes(ids)])
        merged.sort(kind="stable")
        self._keep(folder, _Hour(tuple(after), merged))

    def _hour(self, folder: Path, names: tuple[str, ...]) -> _Hour:
        held = self._hours.get(folder)
        if held is None or held.names != names:
            held = _Hour(names, np.sort(self._hashes(self._read(folder, names))))
        self._keep(folder, held)
        return held

    def _keep(self, folder: Path, hour: _Hour) -> None:
        self._hours[folder] = hour
        self._hours.move_to_end(folder)
        while len(self._hours) > 1 and sum(len(held.hashes) for held in self._hours.values()) > self._max_ids:
            self._hours.popitem(last=False)

    def _read(self, folder: Path, names: Sequence[str]) -> pa.Array:
        tables = [pq.ParquetFile(folder / name).read(columns=[self._column]) for name in names]
        return pa.concat_tables(tables)[self._column].combine_chunks()

    def _hashes(self, ids: pa.Array) -> Hashes:
        return np.fromiter(map(self._hash_of, ids.to_pylist()), np.int64, len(ids))

"""The catalogue as jobs need it: read once, with the digest of what was read, and told what must not be shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.lake import ATTRIBUTES, AVAILABLE, CATEGORY, ITEM_ID, ITEMS
from contracts.manifest import digest_of
from models.tables import arrow_schema
from spark_jobs.held_files import hold

UNAVAILABLE_VALUES = frozenset({"false", "0", "no"})  # of the attribute AVAILABLE; an item without it is available


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Rows of ITEMS as they were at one moment, and the digest of the files that held them."""

    rows: pa.Table
    digest: str

    @property
    def item_ids(self) -> list[str]:
        """Ids in the order of rows."""
        return list(self.rows[ITEM_ID].to_pylist())

    def unavailable(self) -> frozenset[str]:
        """Items that are marked as not available."""
        found: set[str] = set()
        for entries in entries_of(self.rows):
            marked = pc.and_(
                pc.equal(entries.names, AVAILABLE),
                pc.is_in(pc.utf8_lower(entries.values), pa.array(sorted(UNAVAILABLE_VALUES))),
            )
            rows = entries.rows[pc.fill_null(marked, False).to_numpy(zero_copy_only=False)]
            found.update(self.rows[ITEM_ID].take(pa.array(rows)).to_pylist())
        return frozenset(found)

    def untouched(self, touched: frozenset[str], most: int) -> list[str]:
        """Up to `most` items that may be shown and are not among `touched`; the described first, then by a hash."""
        categories = dict(zip(self.item_ids, self.rows[CATEGORY].to_pylist(), strict=True))
        found = categories.keys() - touched - self.unavailable()
        if len(found) <= most:
            return sorted(found)
        return sorted(found, key=lambda item: (categories[item] is None, blake2b(item.encode()).digest()))[:most]


@dataclass(frozen=True, slots=True)
class Entries:
    """Attributes of some rows, one entry each: the row, the attribute's name and its value."""

    rows: NDArray[np.int64]
    names: pa.Array
    values: pa.Array


def read_catalogue(lake: Path) -> Catalogue:
    """The catalogue as it is now; no rows when there never was any."""
    files = hold(lake, ITEMS.path(lake))
    schema = arrow_schema(ITEMS)
    tables = [pq.read_table(file, columns=schema.names).cast(schema) for file in files]
    rows = pa.concat_tables(tables) if tables else schema.empty_table()
    return Catalogue(rows, digest_of(*sorted(file.name for file in files)))


def unavailable_items(lake: Path) -> frozenset[str]:
    """Items that the catalogue marks as not available."""
    return read_catalogue(lake).unavailable()


def entries_of(rows: pa.Table) -> Iterator[Entries]:
    """All attributes of rows of ITEMS, in a few large pieces."""
    begun = 0
    for batch in rows.select([ATTRIBUTES]).to_batches():
        maps = batch.column(0)
        offsets = np.asarray(maps.offsets)
        counts = np.where(maps.is_null(), 0, np.diff(offsets))
        if offsets[-1] - offsets[0] != counts.sum():  # an entry under a missing map belongs to nobody
            maps = pa.array(maps.to_pylist(), maps.type)
            offsets = np.asarray(maps.offsets)
        held = slice(int(offsets[0]), int(offsets[-1]))
        yield Entries(begun + np.repeat(np.arange(len(maps)), counts), maps.keys[held], maps.items[held])
        begun += len(maps)

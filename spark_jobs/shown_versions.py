"""What the name of a shown list tells: the version, the hour it was made for, and what kind of list it was.

A recommendation id is `<hour>.<fence>.<hash of the list's subject>`. Subjects are few (`overall`, `region/north`, an
item), or the person's own id, with a mark before it when the list was computed on demand; hashing the known ones finds
the kind again, whatever the client reports.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from contracts.answers import (
    SOURCE_HEAD,
    SOURCE_ON_DEMAND,
    SOURCE_POPULAR,
    SOURCE_SIMILAR,
    SOURCE_TRENDING,
    named_subject,
    recommendation_id,
)
from contracts.event_contract import ANONYMOUS_PREFIX
from contracts.lake import (
    ANONYMOUS_ID,
    ITEM_ID,
    KEY,
    OVERALL,
    POPULAR,
    RECOMMENDATION_ID,
    SCOPE,
    SIMILAR,
    SOURCE,
    TRENDING,
    USER_ID,
    VERSION,
    Table,
)
from contracts.manifest import FILE_NAME
from models.tables import read_partition

_NAMED = re.compile(r"((\d{4}-\d{2}-\d{2}T\d{2})\.\d+)\.([0-9a-f]{16})", re.ASCII)


def interval_of(name: str) -> str:
    """Key of the hour that a recommendation id is of; empty when it names none."""
    found = _NAMED.fullmatch(name)
    return found[2] if found else ""


@dataclass(frozen=True, slots=True)
class Naming:
    """Adds VERSION and SOURCE to rows with RECOMMENDATION_ID and who saw them; None where they are not known."""

    sources: dict[str, str]

    @classmethod
    def of(cls, lake: Path, interval_keys: Iterable[str]) -> "Naming":
        """Know the subjects of all popular and similar lists of some hours, as far as they are finished."""
        sources = {_hash(TRENDING): SOURCE_TRENDING, _hash(OVERALL): SOURCE_POPULAR}
        for key in interval_keys:
            for row in _rows(POPULAR, lake, key, [SCOPE, KEY]):
                subject = f"{row[SCOPE]}/{row[KEY]}" if row[KEY] else row[SCOPE]
                sources.setdefault(_hash(subject), SOURCE_POPULAR)
            for row in _rows(SIMILAR, lake, key, [ITEM_ID]):
                sources.setdefault(_hash(row[ITEM_ID]), SOURCE_SIMILAR)
        return cls(sources)

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """For mapInArrow."""
        for rows in batches:
            columns = (rows.column(name).to_pylist() for name in (RECOMMENDATION_ID, USER_ID, ANONYMOUS_ID))
            told = [self.tell(*row) for row in zip(*columns, strict=True)]
            versions, sources = (pa.array([pair[place] for pair in told], pa.string()) for place in (0, 1))
            yield pa.RecordBatch.from_arrays([*rows.columns, versions, sources], [*rows.schema.names, VERSION, SOURCE])

    def tell(
        self, name: str | None, user_id: str | None, anonymous_id: str | None = None
    ) -> tuple[str | None, str | None]:
        """Version and source of one recommendation id that was shown to a person."""
        found = _NAMED.fullmatch(name or "")
        if not found:
            return None, None
        for person in filter(None, (user_id, anonymous_id and ANONYMOUS_PREFIX + anonymous_id)):
            for source in (SOURCE_HEAD, SOURCE_ON_DEMAND):
                if _hash(named_subject(source, person)) == found[3]:
                    return found[1], source
        return found[1], self.sources.get(found[3])


def _hash(subject: str) -> str:
    return recommendation_id("", subject).rpartition(".")[2]


def _rows(table: Table, lake: Path, interval_key: str, columns: list[str]) -> list[dict[str, str]]:
    if not (table.partition(lake, interval_key) / FILE_NAME).exists():
        return []
    rows: list[dict[str, str]] = read_partition(table, lake, interval_key, columns=columns).to_pylist()
    return rows

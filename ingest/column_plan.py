"""Which column of a file becomes which column of a table; what is missing is said with the names that are there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from contracts.errors import BadInput
from contracts.lake import EVENT_TYPE, EVENTS, ITEM_ID, ITEMS, OCCURRED_AT, USER_ID, USERS, Table
from ingest.string_maps import as_text

KINDS: dict[str, Table] = {table.name: table for table in (EVENTS, ITEMS, USERS)}
NEEDED: dict[str, tuple[str, ...]] = {
    EVENTS.name: (EVENT_TYPE, USER_ID, ITEM_ID, OCCURRED_AT),
    ITEMS.name: (ITEM_ID,),
    USERS.name: (USER_ID,),
}


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What the options say: `columns` ours -> the file's, `constants` ours -> value, `context` names of the file's."""

    table: Table
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    context: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for ours in (*self.columns, *self.constants):
            if ours not in self.table.column_names:
                raise BadInput(
                    f"{self.table.name} have no column {ours!r}; theirs are {_listed(self.table.column_names)}"
                )
        both = sorted(set(self.columns) & set(self.constants))
        if both:
            raise BadInput(f"column {both[0]!r} is given both from the file and as a constant; leave one out")
        if self.context and self.table is not EVENTS:
            raise BadInput(f"--context is for events; extra columns of {self.table.name} become attributes anyway")

    def name_in_file(self, ours: str) -> str:
        """The file's name for a column of ours."""
        return self.columns.get(ours, ours)

    def check(self, path: Path, names: Iterable[str]) -> None:
        """BadInput when a file with columns `names` lacks one that is needed or was asked for."""
        there = set(names)
        needed = [ours for ours in NEEDED[self.table.name] if ours not in self.constants]
        lacking = [ours for ours in (*needed, *self.columns) if self.name_in_file(ours) not in there]
        if lacking:
            wanted = _listed(dict.fromkeys(self.name_in_file(ours) for ours in lacking))
            raise BadInput(
                f"{path} lacks {wanted}. It has {_listed(names)}; {self.table.name} need "
                f"{_listed(NEEDED[self.table.name])} and may have {_listed(self._optional())}. Map a column with "
                f"--column {lacking[0]}=NAME, or set it for all rows with --constant {lacking[0]}=VALUE"
            )
        strangers = [name for name in self.context if name not in there]
        if strangers:
            raise BadInput(f"{path} lacks {_listed(strangers)}, asked for by --context. It has {_listed(names)}")

    def column(self, rows: pa.Table, ours: str) -> pa.Array:
        """A column of ours as the file has it, a constant, or nulls."""
        if ours in self.constants:
            return pa.repeat(self.constants[ours], rows.num_rows)
        name = self.name_in_file(ours)
        if name not in rows.column_names:
            return pa.nulls(rows.num_rows, pa.string())
        column = rows[name].combine_chunks()
        return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column

    def text(self, rows: pa.Table, ours: str) -> pa.Array:
        """The same as strings; empty ones are null."""
        return as_text(self.column(rows, ours))

    def extra_names(self, rows: pa.Table) -> list[str]:
        """Columns of the file that no column of ours is taken from."""
        taken = {self.name_in_file(ours) for ours in self.table.column_names if ours not in self.constants}
        return [name for name in rows.column_names if name not in taken]

    def _optional(self) -> list[str]:
        return [name for name in self.table.column_names if name not in NEEDED[self.table.name]]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "no columns"

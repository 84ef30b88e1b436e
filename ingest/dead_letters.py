"""Dead letters as they lie in the lake: found by reason and time, each once however often it came."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.dead_letter_contract import DeadLetter
from contracts.errors import BadInput, MissingInput
from contracts.intervals import Interval
from contracts.lake import (
    DATE,
    DEAD_LETTERS,
    DETAIL,
    HOUR,
    LETTER_ID,
    OFFSET,
    RAW,
    REASON,
    RECEIVED_AT,
    SCHEMA_VERSION,
    SENT_AT,
    SOURCE,
    STAGE,
)
from ingest.instants import to_microseconds

_NOTED = (LETTER_ID, RECEIVED_AT, REASON, DETAIL, STAGE, SCHEMA_VERSION, SOURCE, OFFSET)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters: of a reason, received in [from_at, to_at), with ids that begin so; what is empty allows all."""

    reason: str = ""
    from_at: datetime | None = None
    to_at: datetime | None = None
    letter_ids: tuple[str, ...] = ()

    @property
    def is_all(self) -> bool:
        """Whether nothing was chosen."""
        return self == Choice()


@dataclass(frozen=True, slots=True)
class LetterNote:
    """A letter without its bytes, as it came last; `times` is how often it came."""

    letter_id: str
    received_at: datetime
    reason: str
    detail: str
    stage: str
    schema_version: int
    source: str
    offset: str
    times: int = 1


def list_letters(lake: Path, choice: Choice) -> list[LetterNote]:
    """Notes of the chosen letters, the one that came last at the end."""
    notes: dict[str, LetterNote] = {}
    for rows in _tables(lake, choice, _NOTED):
        for row in rows.to_pylist():
            note = LetterNote(*(row[name] for name in _NOTED))
            before = notes.pop(note.letter_id, None)
            notes[note.letter_id] = replace(note, times=before.times + 1) if before else note
    return sorted(notes.values(), key=lambda note: (note.received_at, note.letter_id))


def read_letters(lake: Path, choice: Choice) -> Iterator[DeadLetter]:
    """The chosen letters with their bytes, as each came first, an hour in memory at a time."""
    seen: set[str] = set()
    for rows in _tables(lake, choice, DEAD_LETTERS.column_names):
        for row in rows.to_pylist():
            if row[LETTER_ID] not in seen:
                seen.add(row[LETTER_ID])
                yield _letter_of(row)


def find_letter(lake: Path, letter_id: str) -> tuple[LetterNote, DeadLetter]:
    """The letter whose id begins so; MissingInput when there is none, BadInput when there are several."""
    choice = Choice(letter_ids=(letter_id,))
    notes = list_letters(lake, choice)
    if not notes:
        raise MissingInput(
            f"no dead letter begins with {letter_id}; list them with: python -m headrace dead-letters list "
            "(what was refused just now comes in with the next file of the archiver)"
        )
    if len(notes) > 1:
        near = ", ".join(note.letter_id for note in notes[:5])
        raise BadInput(f"{len(notes)} dead letters begin with {letter_id}, such as {near}; give more of the id")
    return notes[0], next(read_letters(lake, choice))


def _tables(lake: Path, choice: Choice, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    """Chosen rows, an hour of receipt at a time, in the order received."""
    for folder in _hours(lake, choice):
        files = [pq.ParquetFile(file).read(columns=list(columns)) for file in sorted(folder.glob("*.parquet"))]
        if files:
            rows = pa.concat_tables(files)
            yield rows.filter(_mask(rows, choice)).sort_by([(RECEIVED_AT, "ascending"), (LETTER_ID, "ascending")])


def _hours(lake: Path, choice: Choice) -> list[Path]:
    folders = []
    for folder in DEAD_LETTERS.path(lake).glob(f"{DATE}=*/{HOUR}=*"):
        hour = Interval.of_key(f"{folder.parent.name.removeprefix(f'{DATE}=')}T{folder.name.removeprefix(f'{HOUR}=')}")
        starts_in_time = choice.to_at is None or hour.start_at < choice.to_at
        if starts_in_time and (choice.from_at is None or hour.end_at > choice.from_at):
            folders.append(folder)
    return sorted(folders)


def _mask(rows: pa.Table, choice: Choice) -> pa.Array:
    mask = pc.is_valid(rows[LETTER_ID])
    if choice.reason:
        mask = pc.and_(mask, pc.equal(rows[REASON], choice.reason))
    if choice.from_at is not None:
        mask = pc.and_(mask, pc.greater_equal(rows[RECEIVED_AT], pa.scalar(choice.from_at)))
    if choice.to_at is not None:
        mask = pc.and_(mask, pc.less(rows[RECEIVED_AT], pa.scalar(choice.to_at)))
    if choice.letter_ids:
        begins = [pc.starts_with(rows[LETTER_ID], pattern=letter_id) for letter_id in choice.letter_ids]
        any_begins = begins[0]
        for one in begins[1:]:
            any_begins = pc.or_(any_begins, one)
        mask = pc.and_(mask, any_begins)
    return mask


def _letter_of(row: dict[str, Any]) -> DeadLetter:
    sent_at: datetime | None = row[SENT_AT]
    return DeadLetter(
        letter_id=row[LETTER_ID],
        received_at=to_microseconds(row[RECEIVED_AT]),
        reason=row[REASON],
        detail=row[DETAIL] or "",
        stage=row[STAGE],
        schema_version=row[SCHEMA_VERSION],
        source=row[SOURCE] or "",
        raw=row[RAW],
        sent_at=max(to_microseconds(sent_at), 0) if sent_at else 0,
    )

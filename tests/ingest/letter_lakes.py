"""A lake with dead letters in it, laid down as the archiver lays them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.dead_letter_contract import DeadLetter, decode_dead_letter
from contracts.lake import DEAD_LETTERS
from ingest.gate import Gate, Refused
from tests.ingest.known_events import NOW

_TYPES = {"string": pa.string(), "int": pa.int32(), "timestamp": pa.timestamp("us", "UTC"), "binary": pa.binary()}
SCHEMA = pa.schema([(column.name, _TYPES[column.type]) for column in DEAD_LETTERS.columns])


def letters_of(*bodies: bytes, received_at: int = NOW, source: str = "web") -> list[DeadLetter]:
    """What the gate makes dead letters of."""
    verdicts = [one for body in bodies for one in Gate().check_batch(body, received_at=received_at, source=source)]
    return [decode_dead_letter(one.record.payload) for one in verdicts if isinstance(one, Refused)]


def lay_letters(lake: Path, letters: Iterable[DeadLetter]) -> None:
    """Put letters into the partitions of their hours of receipt, a file for each."""
    for number, letter in enumerate(letters):
        received = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=letter.received_at)
        folder = DEAD_LETTERS.partition(lake, received.strftime("%Y-%m-%d"), received.strftime("%H"))
        folder.mkdir(parents=True, exist_ok=True)
        row = {name: getattr(letter, name, None) for name in DEAD_LETTERS.column_names}
        row |= {"received_at": received, "offset": f"{number}-0", "sent_at": letter.sent_at}
        pq.write_table(pa.Table.from_pylist([row], SCHEMA), folder / f"part-{len(list(folder.iterdir()))}.parquet")

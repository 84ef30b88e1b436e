"""Laying down is the same whether memory is plenty or scarce, and whatever order events came in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ingest import lay_events
from ingest.lay_events import Laid, lay_down
from ingest.schemas import EVENTS_SCHEMA
from ingest.scratch import open_scratch
from ingest.staging import Stage
from tests.ingest.lakes import bytes_of

START = datetime(2026, 1, 30, 22, tzinfo=UTC)


def events(numbers: list[int]) -> pa.Table:
    rows = [
        {
            "event_id": f"e{n}",
            "event_type": "view",
            "user_id": "u",
            "item_id": "i",
            "occurred_at": START + timedelta(minutes=7 * n),
        }
        for n in numbers
    ]
    return pa.Table.from_pylist(rows, EVENTS_SCHEMA)


def lay(lake: Path, *pieces: list[int], spill_bytes: int = 10**9) -> Laid:
    with open_scratch(lake) as scratch:
        stage = Stage(scratch, spill_bytes=spill_bytes)
        for piece in pieces:
            stage.add(events(piece))
        return lay_down(stage, lake, scratch)


def test_spilling_and_hourly_portions_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plenty = lay(tmp_path / "plenty", list(range(40)), [3, 3, 41])
    monkeypatch.setattr(lay_events, "WHOLE_DATE_BYTES", 0)
    scarce = lay(tmp_path / "scarce", *[[n] for n in reversed(range(40))], [3, 3, 41], spill_bytes=1)
    assert plenty == scarce == Laid(41, 2, 5)
    assert bytes_of(tmp_path / "plenty") == bytes_of(tmp_path / "scarce")


def test_an_hour_that_learns_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    lay(tmp_path, [1, 2, 30])
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}
    assert lay(tmp_path, [2, 1], [31]) == Laid(1, 2, 1)
    after = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}
    assert len(before.items() & after.items()) == 1


def test_an_id_at_another_hour_is_another_event(tmp_path: Path) -> None:
    twice = events([20, 30])
    same_id = twice.set_column(0, EVENTS_SCHEMA.field(0), pa.array(["e", "e"]))
    with open_scratch(tmp_path) as scratch:
        assert lay_events.lay_rows(same_id, tmp_path, scratch) == Laid(2, 0, 2)


def test_no_events_leave_no_folder(tmp_path: Path) -> None:
    assert lay(tmp_path, []) == Laid()
    assert not (tmp_path / "events").exists()

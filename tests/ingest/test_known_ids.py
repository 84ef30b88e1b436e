"""An id is known when the files have it, whatever its hash, and memory holds no more than it may."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.known_ids import KnownIds


def write(folder: Path, name: str, ids: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table({"event_id": pa.array(ids, pa.string())}), folder / name)


def unknown(known: KnownIds, folder: Path, ids: list[str], *names: str) -> list[bool]:
    return list(known.unknown(pa.array(ids), folder, names))


def test_ids_of_one_hash_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "a", ["one", "three"])
    known = KnownIds("event_id", hash_of=len)
    assert unknown(known, tmp_path, ["one", "two", "three", "seven", "eleven"], "a") == [False, True, False, True, True]


def test_files_that_somebody_else_wrote_are_read(tmp_path: Path) -> None:
    write(tmp_path, "a", ["one"])
    known = KnownIds("event_id")
    assert unknown(known, tmp_path, ["one", "two"], "a") == [False, True]
    write(tmp_path, "b", ["two"])
    assert unknown(known, tmp_path, ["one", "two"], "a", "b") == [False, False]
    assert unknown(known, tmp_path, ["one"]) == [True]


@settings(deadline=None)
@given(hours=st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True), min_size=1, max_size=5))
def test_forgetting_hours_changes_no_answer(tmp_path_factory: pytest.TempPathFactory, hours: list[list[str]]) -> None:
    root, known = tmp_path_factory.mktemp("hours"), KnownIds("event_id", max_ids=3)
    letters = list("abcdefgh")
    for number, ids in enumerate(hours):
        folder = root / str(number)
        write(folder, "a", ids)
        assert unknown(known, folder, letters, "a") == [letter not in ids for letter in letters]
        write(folder, "b", ["z"])
        known.remember(folder, ("a",), ("a", "b"), pa.array(["z"]))
    for number, ids in enumerate(hours):
        found = unknown(known, root / str(number), [*letters, "z"], "a", "b")
        assert found == [letter not in ids for letter in letters] + [False]

"""Files of every format become the same events; counts add up; the same import twice changes no byte."""

import gzip
import json
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import BadInput
from contracts.lake import EVENTS, REJECTS
from ingest.column_plan import ColumnPlan
from ingest.import_files import import_files
from ingest.scratch import open_scratch
from tests.ingest.conftest import Import
from tests.ingest.lakes import NOW, bytes_of, rows_of

HEADER = "event_id,event_type,user_id,item_id,occurred_at,value"
GOOD = "e1,view,ann,bread,2026-01-31T07:00:05Z,2.5"


def csv(tmp_path: Path, *lines: str, name: str = "events.csv") -> Path:
    file = tmp_path / name
    file.write_text("\n".join((HEADER, *lines)) + "\n")
    return file


IDS = st.sampled_from(["", "a", "b", "é", "x" * 300])
INSTANTS = st.sampled_from(
    ["1769842805", "1769842805000", "2026-01-31T08:00:00Z", "1969-01-01", "2030-01-01", "soon", ""]
)
ROWS = st.tuples(IDS, IDS, IDS, IDS, INSTANTS, st.sampled_from(["", "1", "-2.5", "much", "nan"]))


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROWS, max_size=30), broken=st.lists(st.sampled_from(["a", "a,b,c,d,e,f,g,h"]), max_size=3))
def test_every_row_read_is_accepted_a_duplicate_or_rejected(rows: list[tuple[str, ...]], broken: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = csv(Path(folder), *(",".join(row) for row in rows), *broken)
        lake = Path(folder) / "lake"
        outcome = import_files([file], ColumnPlan(EVENTS), lake, now=NOW, on_progress=lambda *_: None)
        assert outcome.read == len(rows) + len(broken) == outcome.accepted + outcome.duplicates + outcome.rejected
        assert (len(rows_of(EVENTS, lake)), len(rows_of(REJECTS, lake))) == (outcome.accepted, outcome.rejected)
        before = bytes_of(lake)
        again = import_files([file], ColumnPlan(EVENTS), lake, now=NOW, on_progress=lambda *_: None)
        assert (again.accepted, again.rejected, bytes_of(lake)) == (0, outcome.rejected, before)


def test_events_lie_by_date_and_hour_sorted_under_a_name_that_tells_their_content(
    tmp_path: Path, lake: Path, run_import: Import
) -> None:
    late, early = "e2,click,ann,bread,2026-01-31T07:59:59.999999Z,", "e0,view,ann,milk,2026-01-31T07:00:05Z,"
    run_import(csv(tmp_path, late, GOOD, early, "e3,view,bob,milk,2026-01-31T08:00:00Z,"))
    folders = sorted(file.parent for file in EVENTS.path(lake).rglob("part-*.parquet"))
    assert folders == [EVENTS.partition(lake, "2026-01-31", hour) for hour in ("07", "08")]
    rows = rows_of(EVENTS, lake)
    assert [row["event_id"] for row in rows] == ["e0", "e1", "e2", "e3"]
    assert rows[2]["occurred_at"] == datetime(2026, 1, 31, 7, 59, 59, 999_999, tzinfo=UTC)


def test_a_later_import_adds_to_an_hour_and_the_first_word_stays(
    tmp_path: Path, lake: Path, run_import: Import
) -> None:
    run_import(csv(tmp_path, GOOD))
    contradiction = GOOD.replace("bread", "milk")
    outcome = run_import(csv(tmp_path, contradiction, "e2,view,bob,milk,2026-01-31T07:30:00Z,", name="more.csv"))
    assert (outcome.accepted, outcome.duplicates) == (1, 1)
    assert [(row["event_id"], row["item_id"]) for row in rows_of(EVENTS, lake)] == [("e1", "bread"), ("e2", "milk")]
    assert len(list(EVENTS.path(lake).rglob("*.parquet"))) == 1


def test_formats_agree_on_events_and_on_ids_made_from_content(tmp_path: Path, lake: Path, run_import: Import) -> None:
    rows = [
        {"event_type": "view", "user_id": "ann", "item_id": str(n), "occurred_at": 1769842805 + n, "value": n / 2}
        for n in range(5)
    ]
    names = list(rows[0])
    (tmp_path / "a.csv").write_text("\n".join([";".join(names), *(";".join(map(str, r.values())) for r in rows)]))
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as lines:
        lines.write("\n\n".join(json.dumps(row) for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    with gzip.open(tmp_path / "d.csv.gz", "wb") as packed:
        packed.write(b"\xef\xbb\xbf" + (tmp_path / "a.csv").read_bytes())
    first = run_import(tmp_path / "a.csv")
    assert (first.accepted, first.rejected) == (5, 0)
    before = bytes_of(lake)
    for name in ("b.jsonl.gz", "c.parquet", "d.csv.gz"):
        outcome = run_import(tmp_path / name)
        assert (name, outcome.duplicates, outcome.accepted) == (name, 5, 0)
    assert bytes_of(lake) == before


def test_columns_are_mapped_set_and_kept_as_context(tmp_path: Path, lake: Path, run_import: Import) -> None:
    file = tmp_path / "shop.csv"
    file.write_text('household,product,at,store\n7,11,1769842805,"5, north"\n8,12,1769842806,\n')
    run_import(
        file,
        columns={"user_id": "household", "item_id": "product", "occurred_at": "at"},
        constants={"event_type": "purchase"},
        context=("store",),
    )
    rows = rows_of(EVENTS, lake)
    assert [(row["user_id"], row["event_type"], row["context"]) for row in rows] == [
        ("7", "purchase", [("store", "5, north")]),
        ("8", "purchase", None),
    ]


def test_nested_json_becomes_context_and_anything_else_is_rejected(
    tmp_path: Path, lake: Path, run_import: Import
) -> None:
    row = {"event_id": "e", "event_type": "view", "user_id": "u", "item_id": "i", "occurred_at": "2026-01-31T07:00:00Z"}
    contexts = [{"page": 3, "device": "phone", "none": None}, [1], "words"]
    lines = [json.dumps({**row, "event_id": str(n), "context": found}) for n, found in enumerate(contexts)]
    (tmp_path / "e.jsonl").write_text("\n".join([*lines, "{", "[]"]))
    outcome = run_import(tmp_path / "e.jsonl")
    assert [event["context"] for event in rows_of(EVENTS, lake)] == [[("device", "phone"), ("page", "3")]]
    assert Counter(reject["reason"] for reject in rows_of(REJECTS, lake))["context is no JSON object"] == 2
    assert (outcome.read, outcome.rejected) == (5, 4)


def test_a_reject_says_where_why_and_what(tmp_path: Path, lake: Path, run_import: Import) -> None:
    file = csv(tmp_path, GOOD, "only,three,fields", "e2,view,,bread,2026-01-31T07:00:05Z,", "e3,view,ann,milk,soon,")
    with file.open("ab") as stream:
        stream.write(b"e4,view,ann,caf\xe9,2026-01-31T07:00:05Z,\n")
    run_import(file)
    found = {row["source_row"]: row for row in rows_of(REJECTS, lake)}
    assert {number: row["reason"] for number, row in found.items()} == {
        2: "row has 3 fields, the header 6",
        3: "user_id is missing",
        4: "occurred_at is no instant",
        5: "row is no UTF-8",
    }
    assert json.loads(found[4]["raw"])["occurred_at"] == "soon"
    assert {row["source_file"] for row in found.values()} == {str(file)}


def test_a_file_without_a_needed_column_names_what_it_has_and_what_is_needed(
    tmp_path: Path, lake: Path, run_import: Import
) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text("who,what\n1,2\n")
    with pytest.raises(BadInput, match=r"lacks event_type, user_id.* has who, what; events need .* --column"):
        run_import(csv(tmp_path, GOOD), file)
    assert not EVENTS.path(lake).exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b""), ("b.csv", b"x,x\n1,2\n"), ("c.parquet", b"no"), ("d.xlsx", b""), ("e.jsonl.gz", b"no")],
)
def test_an_unreadable_file_is_bad_input(tmp_path: Path, run_import: Import, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=name):
        run_import(tmp_path / name)


def test_two_writers_never_meet(tmp_path: Path, lake: Path, run_import: Import) -> None:
    with open_scratch(lake), pytest.raises(BadInput, match="another import"):
        run_import(csv(tmp_path, GOOD))


KILLED = """
import os, signal, sys
from pathlib import Path
from contracts.lake import EVENTS
from ingest.column_plan import ColumnPlan
from ingest.import_files import LAYING, import_files
from tests.ingest.lakes import NOW

def die(stage, done, total):
    if (stage, done) == (LAYING, 2):
        os.kill(os.getpid(), signal.SIGKILL)

import_files([Path(sys.argv[1])], ColumnPlan(EVENTS), Path(sys.argv[2]), now=NOW, on_progress=die)
"""


def test_a_killed_import_leaves_each_partition_old_or_new_and_the_next_one_ends_it(
    tmp_path: Path, lake: Path, run_import: Import
) -> None:
    days = range(1, 5)
    run_import(csv(tmp_path, *(f"a{day},view,u,i,2026-01-0{day}T05:00:00Z," for day in days)))
    old = bytes_of(EVENTS.path(lake))
    more = csv(tmp_path, *(f"b{day},view,u,i,2026-01-0{day}T05:30:00Z," for day in days), name="more.csv")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(more), str(lake)], check=False, capture_output=True)
    assert killed.returncode == -9
    between = bytes_of(EVENTS.path(lake))
    assert (len(between), len(old.keys() & between.keys())) == (4, 2)
    outcome = run_import(more)
    assert (outcome.accepted, outcome.duplicates) == (2, 2)
    assert len(rows_of(EVENTS, lake)) == 8
    assert not list(lake.glob(".scratch-*"))

"""Splitting in time, laying the past down, and asking people: nothing of the future shows."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from contracts.errors import BadInput, MissingInput
from contracts.lake import ITEM_ID, OCCURRED_AT, PRICE, USER_ID
from headrace.evaluate_data import Source, lay_past, read_source, source_lake, split_instant
from headrace.evaluate_hour import interval_at
from headrace.evaluate_questions import ask_known, ask_new, known_people, split_source
from models.evaluation_groups import HEAD, TAIL
from models.evaluation_report import ALL, BAND, NEW_USERS, NOVEL
from tests.worlds import corner_shop, small_settings

ROWS = "event_id,event_type,user_id,item_id,occurred_at,value\n"


def unheard(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def source(tmp_path: Path) -> Source:
    root = corner_shop().write(tmp_path / "shop")
    return read_source(root / "lake", small_settings(root))


def small_source(tmp_path: Path, *lines: str, items: str = "") -> Source:
    """A source of files: lines `user,item,minute` in the order of time."""
    rows = [line.split(",") for line in lines]
    events = tmp_path / "events.csv"
    texts = [f"{n},view,{user},{item},2026-01-01T00:{minute}:00Z,1" for n, (user, item, minute) in enumerate(rows)]
    events.write_text(ROWS + "\n".join(texts) + "\n")
    files = {"events": [str(events)], "items": [], "users": []}
    if items:
        (tmp_path / "items.csv").write_text(items)
        files["items"] = [str(tmp_path / "items.csv")]
    with source_lake(tmp_path / "no-lake", files, unheard) as lake:
        return read_source(lake, small_settings(tmp_path))


def test_a_split_is_a_share_of_events_or_a_date(source: Source) -> None:
    at = source.at_seconds
    assert (at < split_instant(source, "0.8")).mean() == pytest.approx(0.8, abs=0.02)
    middle = np.datetime64(int(at[len(at) // 2]), "s").item()
    assert split_instant(source, middle.isoformat()) == int(at[len(at) // 2])


@pytest.mark.parametrize("split", ["1.5", "0", "soon", "1990-01-01", "2090-01-01"])
def test_a_split_with_nothing_on_one_side_is_refused(source: Source, split: str) -> None:
    with pytest.raises(BadInput):
        split_instant(source, split)


def test_only_the_past_is_laid_down_and_hidden_people_are_not(source: Source, tmp_path: Path) -> None:
    split_at = split_instant(source, "0.8")
    lay_past(source, split_at, {"b0"}, tmp_path / "scratch")
    past = read_source(tmp_path / "scratch" / "lake", small_settings(tmp_path))
    assert past.at_seconds.max() < split_at
    assert "b0" not in pc.unique(past.events[USER_ID]).to_pylist()
    early = source.events.filter(pc.less(source.events[OCCURRED_AT].cast("int64"), split_at * 1_000_000))
    assert past.events.num_rows == early.filter(pc.not_equal(early[USER_ID], "b0")).num_rows


def test_the_price_of_an_item_that_nobody_had_touched_is_not_known(tmp_path: Path) -> None:
    found = small_source(
        tmp_path, "u,old,01", "u,old,02", "v,old,03", "u,late,30", items="item_id,price\nold,2\nlate,3\nnever,4\n"
    )
    lay_past(found, split_instant(found, "2026-01-01T00:20:00"), set(), tmp_path / "scratch")
    laid = read_source(tmp_path / "scratch" / "lake", small_settings(tmp_path)).items
    assert dict(zip(laid[ITEM_ID].to_pylist(), laid[PRICE].to_pylist(), strict=True)) == {
        "old": 2.0,
        "late": None,
        "never": None,
    }


def test_an_event_counts_once_and_weightless_types_not_at_all(tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text(
        ROWS
        + "1,view,u,a,2026-01-01T00:00:00Z,\n1,view,u,a,2026-01-01T05:00:00Z,\n"
        + "2,not_interested,u,b,2026-01-01T00:01:00Z,\n3,view,u,c,2026-01-01T00:02:00Z,\n"
    )
    with source_lake(tmp_path / "lake", {"events": [str(events)], "items": [], "users": []}, unheard) as lake:
        found = read_source(lake, small_settings(tmp_path))
    assert found.events[ITEM_ID].to_pylist() == ["a", "c"]


def test_an_empty_lake_and_items_without_events_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="headrace import"):
        read_source(tmp_path, small_settings(tmp_path))
    files = {"events": [], "items": ["items.csv"], "users": []}
    with pytest.raises(BadInput, match="--events"), source_lake(tmp_path, files, unheard):
        pass


def test_repeats_count_in_the_mode_all_and_not_in_the_mode_novel(tmp_path: Path) -> None:
    found = small_source(tmp_path, "u,a,01", "u,b,02", "v,a,03", "u,a,30", "u,c,31", "v,a,32")
    split = split_source(found, split_instant(found, "2026-01-01T00:20:00"), 0.0)
    rows = known_people(split, most=10)
    items = split.past.items

    def truths(mode: str) -> list[list[str]]:
        asked = ask_known(split, rows, mode, head={"u"}, region_of={})
        assert asked.shown.users == (("u", "v") if mode == ALL else ("u",))  # v found nothing new
        return [sorted(items.external_ids[row] for row in truth) for truth in asked.question.truths]

    assert truths(ALL) == [["a", "c"], ["a"]]
    assert truths(NOVEL) == [["c"]]
    assert ask_known(split, rows, ALL, head={"u"}, region_of={}).question.groups[BAND].tolist() == [HEAD, TAIL]


def test_of_new_people_the_first_items_are_shown_and_the_rest_is_the_truth(tmp_path: Path) -> None:
    lines = ["u,a,01", "u,b,02", "n,b,30", "n,a,31", "n,b,32", "n,c,33", "one,a,34"]
    found = small_source(tmp_path, *lines)
    split = split_source(found, split_instant(found, "2026-01-01T00:20:00"), 0.0)
    asked = ask_new(found, split, reveal=2, most=10)
    assert asked.question.mode == NEW_USERS
    assert asked.shown.users == ("n",)  # of the other one nothing is left to foretell
    assert [sorted(split.past.items.external_ids[row] for row in one) for one in asked.question.truths] == [["c"]]
    [session] = asked.sessions
    assert session.item_ids == ("b", "a", "b")
    assert session.event_types == ("view", "view", "view")


def test_people_held_out_have_no_past(source: Source) -> None:
    split = split_source(source, split_instant(source, "0.8"), 0.5)
    assert 0 < len(split.hidden) < 12
    with_past = {user for user, size in zip(split.past.users, np.diff(split.past.starts), strict=True) if size}
    assert not with_past & split.hidden
    assert split.hidden == split_source(source, split_instant(source, "0.8"), 0.5).hidden


def test_a_sample_of_people_is_the_same_every_time(source: Source) -> None:
    split = split_source(source, split_instant(source, "0.8"), 0.0)
    some = known_people(split, most=4)
    assert len(some) == 4
    assert some.tolist() == known_people(split, most=4).tolist()


def test_the_hour_ends_with_the_split_or_holds_it() -> None:
    assert interval_at(7_200).key == "1970-01-01T01"
    assert interval_at(7_201).key == "1970-01-01T02"


def test_a_live_session_is_the_persons_own(tmp_path: Path) -> None:
    found = small_source(tmp_path, "u,a,01", "u,b,02", "z,c,30", "m,a,31", "m,c,32", "z,a,33")
    split = split_source(found, split_instant(found, "2026-01-01T00:20:00"), 0.0)
    asked = ask_new(found, split, reveal=1, most=10)
    assert asked.shown.users == ("m", "z")
    assert [session.item_ids for session in asked.sessions] == [("a",), ("c",)]

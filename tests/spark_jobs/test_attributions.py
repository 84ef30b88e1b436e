"""Each click and purchase is put down to what was shown last before it; the right answers are seen by eye."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from contracts.answers import SOURCE_ON_DEMAND, named_subject, recommendation_id
from contracts.features import ATTRIBUTION_FEATURES, ITEM_STATS, ITEM_STATS_TABLE, USER_STATS_TABLE
from contracts.intervals import Interval
from contracts.lake import (
    ANONYMOUS_ID,
    ATTRIBUTIONS,
    CLICKED_AT,
    CONTEXT,
    FEATURES,
    IMPRESSION_ID,
    ITEM_ID,
    PLACEMENT,
    POSITION,
    PURCHASED_AT,
    RECOMMENDATION_ID,
    SOURCE,
    USER_ID,
    VALUE,
    VERSION,
)
from contracts.manifest import FILE_NAME, Manifest
from models.tables import read_partition
from spark_jobs import build_attributions
from spark_jobs.context import JobContext
from tests.spark_jobs.running import UP_TO_STATISTICS, context_of, rows_of, run_jobs
from tests.worlds import (
    BREAD,
    VIEW,
    Row,
    World,
    at_utc,
    event_row,
    impression_row,
    write_events,
    write_impressions,
    write_tombstones,
)

pytestmark = pytest.mark.spark
EIGHT = Interval.of_key("2026-01-31T08")
VERSION_OF_SEVEN = "2026-01-31T07.12"
HERS, OVERALL = recommendation_id(VERSION_OF_SEVEN, "ann"), recommendation_id(VERSION_OF_SEVEN, "overall")
CLICK = "click"


def at(text: str) -> datetime:
    return at_utc(f"2026-01-31T{text}")


def shown(name: str, items: Sequence[str], when: str, *, to: str | None = "ann", named: str = HERS) -> Row:
    return impression_row(name, to, items, at=at(when), recommendation_id=named)


def on_demand(person: str) -> str:
    return recommendation_id(VERSION_OF_SEVEN, named_subject(SOURCE_ON_DEMAND, person))


def happened(name: str, item: str, when: str, kind: str = CLICK, *, by: str | None = "ann", **context: str) -> Row:
    return event_row(name, by, item, at=at(when), kind=kind) | {CONTEXT: list(context.items())}


def attributed(root: Path, spark: SparkSession, hour: Interval = EIGHT, made: Interval | None = None) -> list[Row]:
    build_attributions.run(context_of(root, spark, hour))
    return read_partition(ATTRIBUTIONS, root / "lake", (made or hour).key).to_pylist()


def outcome(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """Times of click and purchase, by impression and item, of those that had any."""
    return {
        (row[IMPRESSION_ID], row[ITEM_ID]): (clock(row[CLICKED_AT]), clock(row[PURCHASED_AT]))
        for row in rows
        if row[CLICKED_AT] or row[PURCHASED_AT]
    }


def clock(when: datetime | None) -> str | None:
    return when and f"{when:%H:%M}"


def write(root: Path, impressions: Sequence[Row], events: Sequence[Row]) -> None:
    write_impressions(root, impressions)
    write_events(root, events)


def test_every_item_shown_is_a_row_with_its_position_and_what_came_of_it(tmp_path: Path, spark: SparkSession) -> None:
    write(
        tmp_path,
        [shown("i1", ("tea", BREAD, "jam"), "08:10:00")],
        [
            happened("seen", "tea", "08:11:00", VIEW),
            happened("before", "tea", "08:09:59"),
            happened("first", BREAD, "08:12:00"),
            happened("again", BREAD, "08:13:00"),
            happened("bought", BREAD, "08:14:00", "purchase"),
            happened("other", "kite", "08:15:00"),
            happened("stranger", "jam", "08:15:00", by="bob"),
        ],
    )
    rows = attributed(tmp_path, spark)
    assert [(row[ITEM_ID], row[POSITION]) for row in rows] == [("tea", 1), (BREAD, 2), ("jam", 3)]
    assert outcome(rows) == {("i1", BREAD): ("08:12", "08:14")}
    assert [row[VALUE] for row in rows] == [None, 2.0, None]
    assert {(row[USER_ID], row[PLACEMENT], row[RECOMMENDATION_ID]) for row in rows} == {("ann", "home", HERS)}


def test_of_several_impressions_the_last_before_the_event_has_it(tmp_path: Path, spark: SparkSession) -> None:
    lists = [shown("i1", ("tea",), "08:10:00"), shown("i2", ("tea",), "08:20:00"), shown("i3", ("tea",), "08:40:00")]
    write(tmp_path, lists, [happened("c", "tea", "08:30:00"), happened("b", "tea", "08:50:00", "purchase")])
    assert outcome(attributed(tmp_path, spark)) == {("i2", "tea"): ("08:30", None), ("i3", "tea"): (None, "08:50")}


def test_an_event_that_names_its_list_or_its_impression_fits_that_one_alone(
    tmp_path: Path, spark: SparkSession
) -> None:
    lists = [
        shown("i1", ("tea", "jam"), "08:10:00"),
        shown("i2", ("tea", "jam"), "08:11:00"),
        shown("i3", ("tea", "jam"), "08:20:00", named=OVERALL),
    ]
    events = [
        happened("c", "tea", "08:30:00", recommendation_id=HERS),
        happened("b", "jam", "08:31:00", "purchase", recommendation_id=HERS, impression_id="i1"),
        happened("n", "jam", "08:32:00", recommendation_id="2026-01-31T07.12.0000000000000000"),
    ]
    write(tmp_path, lists, events)
    assert outcome(attributed(tmp_path, spark)) == {("i2", "tea"): ("08:30", None), ("i1", "jam"): (None, "08:31")}


def test_an_anonymous_visitor_is_known_by_that_id_before_and_after_the_login(
    tmp_path: Path, spark: SparkSession
) -> None:
    visitor = {ANONYMOUS_ID: "v-1"}
    lists = [shown("i1", ("tea", "jam"), "08:10:00", to=None, named=OVERALL) | visitor]
    events = [
        happened("c", "tea", "08:11:00", by=None, anonymous_id="v-1"),
        happened("b", "jam", "08:12:00", "purchase", anonymous_id="v-1"),
        happened("n", "jam", "08:11:00", by=None, anonymous_id="v-2"),
    ]
    write(tmp_path, lists, events)
    assert outcome(attributed(tmp_path, spark)) == {("i1", "tea"): ("08:11", None), ("i1", "jam"): (None, "08:12")}


def test_an_hour_stays_open_for_the_window_and_what_came_later_is_added(tmp_path: Path, spark: SparkSession) -> None:
    write(
        tmp_path,
        [shown("i1", ("tea", "jam"), "08:10:00")],
        [happened("c", "tea", "08:50:00"), happened("b", "tea", "11:00:00", "purchase")],
    )
    late = event_row("late", "ann", "jam", at=at_utc("2026-02-01T08:10:00"), kind=CLICK)
    write_events(tmp_path, [late, happened("d", "jam", "20:00:00", "purchase")])
    assert outcome(attributed(tmp_path, spark)) == {("i1", "tea"): ("08:50", None)}
    eleven, last = Interval.of_key("2026-01-31T11"), Interval.of_key("2026-02-01T08")
    assert outcome(attributed(tmp_path, spark, eleven, made=EIGHT)) == {("i1", "tea"): ("08:50", "11:00")}
    whole = {("i1", "tea"): ("08:50", "11:00"), ("i1", "jam"): (None, "20:00")}
    assert outcome(attributed(tmp_path, spark, last, made=EIGHT)) == whole  # a click at 08:10 is 24 hours late
    assert outcome(attributed(tmp_path, spark)) == whole  # made again, it knows as much as before


def test_an_hour_whose_inputs_did_not_change_is_left_alone(tmp_path: Path, spark: SparkSession) -> None:
    write(tmp_path, [shown("i1", ("tea",), "08:10:00")], [happened("c", "tea", "08:50:00")])
    attributed(tmp_path, spark)
    manifest = ATTRIBUTIONS.partition(tmp_path / "lake", EIGHT.key) / FILE_NAME
    before = manifest.stat().st_mtime_ns
    attributed(tmp_path, spark)
    assert manifest.stat().st_mtime_ns == before
    write_events(tmp_path, [happened("d", "tea", "08:05:00")])
    attributed(tmp_path, spark)
    assert manifest.stat().st_mtime_ns > before


def test_the_same_input_gives_the_same_digest_and_doubles_count_once(tmp_path: Path, spark: SparkSession) -> None:
    lists = [shown("i1", ("tea", "jam", "tea"), "08:10:00"), shown("i2", ("jam",), "08:11:00")]
    events = [happened("c", "tea", "08:50:00"), happened("b", "jam", "08:51:00", "purchase")]
    digests = []
    for name, doubled in (("once", 1), ("twice", 2)):
        write(tmp_path / name, lists * doubled, events * doubled)
        rows = attributed(tmp_path / name, spark)
        manifest = Manifest.read(ATTRIBUTIONS.partition(tmp_path / name / "lake", EIGHT.key), made_by="")
        assert (len(rows), manifest.rows, manifest.figures) == (3, 3, {"clicks": 1, "purchases": 1})
        digests.append(manifest.digest)
    assert digests[0] == digests[1]


def test_what_a_forgotten_person_was_shown_and_did_is_not_attributed(tmp_path: Path, spark: SparkSession) -> None:
    lists = [shown("i1", ("tea",), "08:10:00"), shown("i2", ("tea",), "08:10:00", to="bob", named=OVERALL)]
    write(tmp_path, lists, [happened("c", "tea", "08:20:00"), happened("d", "tea", "08:20:00", by="bob")])
    assert len(attributed(tmp_path, spark)) == 2
    write_tombstones(tmp_path, {"ann": at("08:30:00")})
    assert outcome(attributed(tmp_path, spark)) == {("i2", "tea"): ("08:20", None)}
    write_tombstones(tmp_path, {"ann": at("08:30:00"), "bob": at("08:30:00")})
    build_attributions.run(context_of(tmp_path, spark, EIGHT))
    assert Manifest.read(ATTRIBUTIONS.partition(tmp_path / "lake", EIGHT.key), made_by="").rows == 0


def test_without_impressions_nothing_is_made(tmp_path: Path, spark: SparkSession) -> None:
    write_events(tmp_path, [happened("c", "tea", "08:50:00")])
    build_attributions.run(context_of(tmp_path, spark, EIGHT))
    assert not ATTRIBUTIONS.path(tmp_path / "lake").exists()


@pytest.fixture(scope="module")
def hour_of_version(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> JobContext:
    """Statistics as of 08:00, and lists of that version shown in the hour after."""
    root = tmp_path_factory.mktemp("shown")
    World((event_row("y", "ann", BREAD, at=at("07:30:00")),), (), ()).write(root)
    context = context_of(root, spark, Interval.of_key("2026-01-31T07"))
    run_jobs(context, UP_TO_STATISTICS)
    later = [happened(f"later-{number}", BREAD, "08:05:00") for number in range(5)]
    mine = shown("i1", (BREAD, "tea"), "08:10:00")
    elses = shown("i2", (BREAD,), "08:10:00", to="bob", named=recommendation_id("2026-01-31T06.11", "bob"))
    unnamed = shown("i3", (BREAD,), "08:10:00", named="made up")
    computed = shown("i5", (BREAD,), "08:10:00", named=on_demand("ann"))
    strangers = shown("i6", (BREAD,), "08:10:00", to=None, named=on_demand("anon:a1")) | {ANONYMOUS_ID: "a1"}
    claimed = shown("i7", (BREAD,), "08:10:00", to="bob", named=on_demand("ann"))
    popular = shown("i4", (BREAD,), "08:10:00", named=OVERALL)
    write(root, [mine, elses, unnamed, popular, computed, strangers, claimed], later)
    return replace(context, interval=EIGHT)


def test_features_are_those_of_the_hour_that_the_shown_version_was_made_for(hour_of_version: JobContext) -> None:
    build_attributions.run(hour_of_version)
    rows = {(row[IMPRESSION_ID], row[ITEM_ID]): row for row in rows_of(hour_of_version, ATTRIBUTIONS)}
    seven = replace(hour_of_version, interval=Interval.of_key("2026-01-31T07"))
    (item,), (user,) = rows_of(seven, ITEM_STATS_TABLE), rows_of(seven, USER_STATS_TABLE)
    known = [pytest.approx(value, nan_ok=True) for value in numbers(item | user)]
    assert rows["i1", BREAD][FEATURES] == known
    assert rows["i1", BREAD][FEATURES][ATTRIBUTION_FEATURES.index("item_count_1h")] == 1  # not the five clicks later
    unknown_item = rows["i1", "tea"][FEATURES]
    assert np.isnan(unknown_item[: len(ITEM_STATS)]).all()
    assert unknown_item[ATTRIBUTION_FEATURES.index("user_event_count")] == 1
    for name in ("i2", "i3"):  # a version of which nothing is left, and none at all
        assert np.isnan(rows[name, BREAD][FEATURES]).all()
        assert len(rows[name, BREAD][FEATURES]) == len(ATTRIBUTION_FEATURES)


def test_features_stay_when_the_statistics_they_came_from_are_kept_no_more(hour_of_version: JobContext) -> None:
    build_attributions.run(hour_of_version)
    before = {(row[IMPRESSION_ID], row[ITEM_ID]): row for row in rows_of(hour_of_version, ATTRIBUTIONS)}
    folder = ITEM_STATS_TABLE.partition(hour_of_version.lake, "2026-01-31T07")
    aside = folder.rename(folder.with_name("aside"))
    write_events(hour_of_version.settings.root, [happened("later", BREAD, "08:40:00", "purchase")])
    build_attributions.run(hour_of_version)
    aside.rename(folder)
    after = {(row[IMPRESSION_ID], row[ITEM_ID]): row for row in rows_of(hour_of_version, ATTRIBUTIONS)}
    assert (before["i1", BREAD][PURCHASED_AT], clock(after["i1", BREAD][PURCHASED_AT])) == (None, "08:40")
    for shown_item, row in after.items():
        assert np.array_equal(row[FEATURES], before[shown_item][FEATURES], equal_nan=True)


def test_version_and_source_are_read_from_the_name_of_the_list(hour_of_version: JobContext) -> None:
    build_attributions.run(hour_of_version)
    told = {row[IMPRESSION_ID]: (row[VERSION], row[SOURCE]) for row in rows_of(hour_of_version, ATTRIBUTIONS)}
    assert told == {
        "i1": (VERSION_OF_SEVEN, "head"),
        "i2": ("2026-01-31T06.11", "head"),
        "i3": (None, None),
        "i4": (VERSION_OF_SEVEN, "popular"),
        "i5": (VERSION_OF_SEVEN, "on_demand"),
        "i6": (VERSION_OF_SEVEN, "on_demand"),
        "i7": (VERSION_OF_SEVEN, None),
    }


def numbers(row: Row) -> list[float]:
    return [float("nan") if row[name] is None else row[name] for name in ATTRIBUTION_FEATURES]

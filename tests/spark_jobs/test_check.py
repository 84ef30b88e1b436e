"""The gate lets a sound hour through with its figures, and names every rule that an unsound one breaks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import redis

from contracts.errors import GateRefused, MissingInput, StoreUnavailable
from contracts.features import ITEM_STATS, ITEM_STATS_TABLE
from contracts.lake import CLEAN_EVENTS, HEAD_USERS, LISTS, POPULAR, SIMILAR, Table
from contracts.lake import ITEMS as CATALOGUE
from contracts.manifest import Manifest
from headrace.embedded_redis import EmbeddedRedis
from models.tables import arrow_schema, write_partition
from spark_jobs import check
from spark_jobs.passed_check import check_folder
from spark_jobs.publish import publish
from tests.publish_lake import EIGHT, ITEMS, SEVEN, USERS, make_context, write_hour, write_rows

DAY = "2026-01-31"
Rows = Sequence[tuple[object, ...]]


def put(root: Path, table: Table, interval_key: str, rows: Rows) -> None:
    write_rows(root, table, interval_key, [dict(zip(table.column_names, row, strict=True)) for row in rows])


def write_sound_hour(root: Path, interval_key: str, *, items: Sequence[str] = ITEMS) -> None:
    """An hour that breaks no rule: every user has all of a catalogue of three."""
    write_hour(root, interval_key, items=items)
    put(root, HEAD_USERS, interval_key, [(user, rank, 1) for rank, user in enumerate(USERS)])
    put(root, ITEM_STATS_TABLE, interval_key, [(item, "food", *[0.0] * len(ITEM_STATS)) for item in items])


def write_events(root: Path, rows: Sequence[tuple[str, str, int]]) -> None:
    """Clean events of the day: user, item, hour."""
    put(
        root,
        CLEAN_EVENTS,
        DAY,
        [
            (str(n), "view", user, item, datetime(2026, 1, 31, hour, 30, tzinfo=UTC), None, None, None, None)
            for n, (user, item, hour) in enumerate(rows)
        ],
    )


def run_check(root: Path, url: str, interval_key: str = SEVEN, **settings: object) -> dict[str, float | int | str]:
    context = make_context(root, interval_key, redis_url=url, **settings)
    check.run(context)
    return Manifest.read(check_folder(context.lake, interval_key), made_by="test").figures


def test_a_sound_hour_passes_and_may_be_published(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN)
    figures = run_check(tmp_path, redis_server.url)
    assert (figures["coverage"], figures["lists"], figures["known_items"]) == (1.0, 4, 3)
    assert "overlap" not in figures
    assert publish(make_context(tmp_path, SEVEN, redis_url=redis_server.url)).figures["users"] == 4


BAD_LISTS = {
    "hold an item twice": (["apple", "apple", "bread"], [3.0, 2.0, 1.0]),
    "not best first": (["apple", "bread", "cheese"], [1.0, 2.0, 1.0]),
    "not finite": (["apple", "bread", "cheese"], [3.0, float("nan"), 1.0]),
    "does not know": (["apple", "bread", "stone"], [3.0, 2.0, 1.0]),
    "another number of scores": (["apple", "bread", "cheese"], [3.0, 2.0]),
}


@pytest.mark.parametrize("rule", BAD_LISTS)
@pytest.mark.parametrize("table", [LISTS, POPULAR, SIMILAR], ids=lambda table: table.name)
def test_one_bad_list_is_enough(tmp_path: Path, redis_server: EmbeddedRedis, table: Table, rule: str) -> None:
    write_sound_hour(tmp_path, SEVEN)
    good, bad = (["bread", "cheese"], [2.0, 2.0]), BAD_LISTS[rule]
    keys = {LISTS.name: (("ann",), ("bob",)), SIMILAR.name: (("x",), ("y",))}
    first, second = keys.get(table.name, (("overall", ""), ("trending", "")))
    put(tmp_path, table, SEVEN, [(*first, *good), (*second, *bad)])
    with pytest.raises(GateRefused, match=f"{table.name}: 1.*{rule}"):
        run_check(tmp_path, redis_server.url)


def test_every_broken_rule_is_in_one_message(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN)
    scores = [3.0, 2.0, 1.0]
    put(tmp_path, LISTS, SEVEN, [("ann", list(ITEMS), scores), ("ann", list(ITEMS), scores), ("eve", ["apple"], [1.0])])
    put(tmp_path, POPULAR, SEVEN, [("trending", "", list(ITEMS), scores)])
    put(tmp_path, SIMILAR, SEVEN, [("apple", ["apple"], [1.0])])
    with pytest.raises(GateRefused) as refused:
        run_check(tmp_path, redis_server.url)
    for sentence in (
        "1 users have more than one list",
        "1 users are not of the head",
        "0 overall lists",
        "1 lists hold the item they are about",
        "coverage is 0.5000 and HEADRACE_MINIMUM_COVERAGE asks for 0.95",
    ):
        assert sentence in str(refused.value)


def test_lists_longer_than_the_setting_are_refused(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN)
    with pytest.raises(GateRefused, match="longer than 2 items"):
        run_check(tmp_path, redis_server.url, list_size=2)


def test_a_full_list_is_all_that_a_small_catalogue_offers(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN, items=("apple", "bread"))
    stats = [(item, "food", *[0.0] * len(ITEM_STATS)) for item in ITEMS]
    put(tmp_path, ITEM_STATS_TABLE, SEVEN, stats)
    with pytest.raises(GateRefused, match="coverage is 0"):
        run_check(tmp_path, redis_server.url)
    catalogue = [("cheese", "food", 1.0, {"available": "false"}), ("never seen", "food", 1.0, {})]
    rows = [dict(zip(CATALOGUE.column_names, row, strict=True)) for row in catalogue]
    write_partition(CATALOGUE, pa.Table.from_pylist(rows, schema=arrow_schema(CATALOGUE)), tmp_path / "lake")
    assert run_check(tmp_path, redis_server.url)["coverage"] == 1.0


def test_a_failed_check_takes_back_an_earlier_pass(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN)
    run_check(tmp_path, redis_server.url)
    with pytest.raises(GateRefused):
        run_check(tmp_path, redis_server.url, list_size=1)
    with pytest.raises(MissingInput, match="checks"):
        publish(make_context(tmp_path, SEVEN, redis_url=redis_server.url))


def test_an_hour_unlike_the_one_that_serves_is_refused(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN)
    run_check(tmp_path, redis_server.url)
    publish(make_context(tmp_path, SEVEN, redis_url=redis_server.url))
    write_sound_hour(tmp_path, EIGHT, items=("apple", "x", "y"))
    assert run_check(tmp_path, redis_server.url, EIGHT)["overlap"] == pytest.approx(1 / 3, abs=1e-6)
    with pytest.raises(GateRefused, match=r"overlap is 0\.3333"):
        run_check(tmp_path, redis_server.url, EIGHT, minimum_overlap=0.5)


def test_an_hour_for_other_people_altogether_has_no_overlap(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN)
    run_check(tmp_path, redis_server.url)
    publish(make_context(tmp_path, SEVEN, redis_url=redis_server.url))
    write_sound_hour(tmp_path, EIGHT)
    put(tmp_path, LISTS, EIGHT, [("zoe", list(ITEMS), [3.0, 2.0, 1.0])])
    put(tmp_path, HEAD_USERS, EIGHT, [("zoe", 1, 1)])
    with pytest.raises(GateRefused, match=r"overlap is 0\.0000"):
        run_check(tmp_path, redis_server.url, EIGHT)


def test_a_past_hour_need_not_resemble_the_newer_one(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, EIGHT, items=("x", "y", "z"))
    run_check(tmp_path, redis_server.url, EIGHT)
    publish(make_context(tmp_path, EIGHT, redis_url=redis_server.url))
    write_sound_hour(tmp_path, SEVEN)
    assert run_check(tmp_path, redis_server.url, SEVEN)["overlap"] == 0.0


def test_ndcg_is_measured_on_the_hours_own_events(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN)
    # ann's list opens with apple, bob's with bread and then cheese; eight o'clock and users without a list do not count
    write_events(tmp_path, [("ann", "apple", 7), ("bob", "cheese", 7), ("ann", "cheese", 8), ("tail-user", "apple", 7)])
    figures = run_check(tmp_path, redis_server.url)
    assert figures["users_with_events"] == 2
    assert figures["ndcg_at_10"] == pytest.approx((1 + 0.63093) / 2, abs=1e-5)
    with pytest.raises(GateRefused, match="HEADRACE_MINIMUM_NDCG"):
        run_check(tmp_path, redis_server.url, minimum_ndcg=0.9)


def test_an_hour_without_events_is_no_reason_to_refuse(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN)
    write_events(tmp_path, [("ann", "apple", 3)])
    assert "ndcg_at_10" not in run_check(tmp_path, redis_server.url, minimum_ndcg=0.9)


def test_an_hour_whose_head_is_empty_may_still_serve_popular_lists(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN)
    put(tmp_path, LISTS, SEVEN, [])
    put(tmp_path, HEAD_USERS, SEVEN, [])
    assert run_check(tmp_path, redis_server.url)["coverage"] == 1.0


def test_without_a_store_the_check_waits_for_it(tmp_path: Path, own_redis_server: EmbeddedRedis) -> None:
    write_sound_hour(tmp_path, SEVEN)
    with redis.Redis.from_url(own_redis_server.url) as client:
        assert client.ping()
    own_redis_server.stop()
    with pytest.raises(StoreUnavailable):
        run_check(tmp_path, own_redis_server.url)

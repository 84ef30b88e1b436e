"""One hour of the corner shop gives what anybody would say by looking at it."""

import numpy as np
import pytest

from contracts.features import ITEM_STATS_TABLE, USER_STATS_TABLE
from contracts.intervals import Interval
from contracts.lake import (
    BY_CATEGORY,
    BY_REGION,
    HEAD_ITEMS,
    HEAD_USERS,
    INTERACTIONS,
    ITEM_ID,
    ITEM_IDS,
    KEY,
    LISTS,
    NEIGHBOURS,
    OVERALL,
    POPULAR,
    REGION,
    SCOPE,
    SCORES,
    SEGMENTS,
    SIMILAR,
    TASTE_CLUSTER,
    TRENDING,
    USER_ID,
)
from contracts.manifest import Manifest
from models.bundle import read_manifest
from models.two_stage import load_bundle, recommend
from models.user_state import OwnItems, Request
from spark_jobs.context import JobContext
from spark_jobs.rankers import ranker_of
from tests.spark_jobs.running import UP_TO_LISTS, context_of, rows_of, run_jobs
from tests.worlds import BAKERS, BAKERY, BAKERY_ITEMS, BREAD, GARDEN_ITEMS, GARDENERS, corner_shop

pytestmark = pytest.mark.spark
TABLES = (
    *(INTERACTIONS, ITEM_STATS_TABLE, USER_STATS_TABLE, HEAD_USERS, HEAD_ITEMS, NEIGHBOURS, SEGMENTS),
    *(LISTS, POPULAR, SIMILAR),
)


def digests_of(context: JobContext) -> dict[str, str]:
    found = {
        table.name: Manifest.read(table.partition(context.lake, context.key), made_by="").digest for table in TABLES
    }
    return found | {"candidates": read_manifest(context.candidate_bundle, made_by="")["digest"]}


def popular(context: JobContext, scope: str, key: str = "") -> list[str]:
    (row,) = (row for row in rows_of(context, POPULAR) if (row[SCOPE], row[KEY]) == (scope, key))
    return row[ITEM_IDS]


def test_the_head_is_the_most_active_fifth_and_ties_break_by_id(shop_hour: JobContext) -> None:
    assert [row[USER_ID] for row in rows_of(shop_hour, HEAD_USERS)] == ["b0", "g0", "b1"]


def test_every_head_user_has_a_list_that_opens_with_the_five_things_they_buy(shop_hour: JobContext) -> None:
    lists = {row[USER_ID]: row[ITEM_IDS] for row in rows_of(shop_hour, LISTS)}
    assert sorted(lists) == ["b0", "b1", "g0"]
    for user, items in lists.items():
        own = BAKERY_ITEMS if user in BAKERS else GARDEN_ITEMS
        bought = set(own) - {own[int(user[1:])]} | {BREAD}
        assert set(items[:5]) == bought, user


def test_scores_fall_along_a_list(shop_hour: JobContext) -> None:
    assert all(row[SCORES] == sorted(row[SCORES], reverse=True) for row in rows_of(shop_hour, LISTS))


def test_a_list_of_the_batch_is_what_the_user_gets_alone(shop_hour: JobContext) -> None:
    settings = shop_hour.settings
    bundle = load_bundle(
        shop_hour.candidate_bundle, ranker_of(shop_hour), shop_hour.layout.cache, settings.candidate_count
    )
    pairs, stats = rows_of(shop_hour, INTERACTIONS), rows_of(shop_hour, USER_STATS_TABLE)
    for listed in rows_of(shop_hour, LISTS):
        user = listed[USER_ID]
        own = OwnItems.from_rows([row for row in pairs if row[USER_ID] == user])
        (known,) = (list(row.values())[1:] for row in stats if row[USER_ID] == user)
        known = np.array([np.nan if value is None else value for value in known])
        (alone,) = recommend(bundle, [Request(user, shop_hour.end_seconds, own, known)], settings.list_size)
        assert (list(alone.item_ids), alone.scores.tolist()) == (listed[ITEM_IDS], listed[SCORES])


def test_popular_lists_say_what_is_bought_overall_by_category_and_by_region(shop_hour: JobContext) -> None:
    assert popular(shop_hour, OVERALL)[0] == BREAD
    assert set(popular(shop_hour, BY_CATEGORY, BAKERY)) == set(BAKERY_ITEMS)
    assert popular(shop_hour, BY_REGION, "north")[0] == BREAD
    assert BREAD not in popular(shop_hour, TRENDING)[:4]  # bought as ever, while others rise


def test_similar_items_come_from_the_same_shelf(shop_hour: JobContext) -> None:
    lists = {row[ITEM_ID]: row[ITEM_IDS] for row in rows_of(shop_hour, SIMILAR)}
    assert set(lists["yeast"]) == set(BAKERY_ITEMS) - {"yeast"} | {BREAD}


def test_taste_clusters_tell_bakers_from_gardeners(shop_hour: JobContext) -> None:
    cluster = {row[USER_ID]: row[TASTE_CLUSTER] for row in rows_of(shop_hour, SEGMENTS)}
    assert len({cluster[user] for user in BAKERS}) == len({cluster[user] for user in GARDENERS}) == 1
    assert cluster["b0"] != cluster["g0"]
    assert {row[REGION] for row in rows_of(shop_hour, SEGMENTS)} == {"north", "south"}


def test_the_same_input_gives_the_same_digests_in_another_place(shop_hour: JobContext, with_ranker) -> None:
    again = context_of(corner_shop().write(with_ranker), shop_hour.session)
    run_jobs(again, UP_TO_LISTS)
    assert digests_of(again) == digests_of(shop_hour)


def test_a_ranker_that_has_seen_the_future_is_not_used(shop_hour: JobContext) -> None:
    early = context_of(shop_hour.settings.root, shop_hour.session, Interval.of_key("2026-01-30T22"))
    with pytest.raises(Exception, match="python -m headrace train"):
        ranker_of(early)

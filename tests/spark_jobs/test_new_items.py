"""Items that only the catalogue knows can be found and filtered, and change nothing that others see."""

from dataclasses import replace

import numpy as np
import pytest
from pyspark.sql import SparkSession

from contracts.lake import ITEM_IDS, LISTS, NEIGHBOURS, POPULAR, SIMILAR
from models.bundle import read_manifest
from models.candidate_bundle import MADE_BY, CandidateBundle
from models.tables import manifest_of
from models.two_stage import candidate_features
from models.user_state import Request
from spark_jobs import train_candidates
from spark_jobs.context import JobContext
from spark_jobs.weights import read_weights, some_users
from tests.spark_jobs.running import UP_TO_LISTS, context_of, rows_of, run_jobs
from tests.worlds import BAKERS, BAKERY, BAKERY_ITEMS, GARDEN, GARDENERS, corner_shop, item_row

pytestmark = pytest.mark.spark
RYE, RAKE, SOLD_OUT, PLAIN = "rye", "rake", "malt", "thing"
NEW = (
    item_row(RYE, BAKERY, 4.0, brand="mill"),
    item_row(RAKE, GARDEN, 12.0, brand="forge"),
    item_row(SOLD_OUT, BAKERY, 5.0, available="false"),
    item_row(PLAIN, None),
)


@pytest.fixture(scope="module")
def stocked(trained_shop: JobContext, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> JobContext:
    """The shop's hour with four more items in its catalogue, of which nobody took any."""
    shop, root = corner_shop(), tmp_path_factory.mktemp("stocked")
    replace(shop, items=(*shop.items, *NEW)).write(root)
    (root / "bundles").mkdir()
    (root / "bundles" / "ranker").symlink_to(trained_shop.layout.rankers)
    context = context_of(root, spark)
    run_jobs(context, UP_TO_LISTS)
    return context


@pytest.fixture(scope="module")
def bundle(stocked: JobContext) -> CandidateBundle:
    """Its candidates."""
    return CandidateBundle.load(stocked.candidate_bundle)


def test_new_items_join_and_what_is_delisted_stays_out(stocked: JobContext, bundle: CandidateBundle) -> None:
    assert {RYE, RAKE, PLAIN} < set(bundle.items.external_ids)
    assert SOLD_OUT not in bundle.items.external_ids
    notes = read_manifest(stocked.candidate_bundle, made_by=MADE_BY)
    assert notes["items_of"] == {"with_events": 11, "new": 3, "foretold": 2}
    assert notes["described_by"] == "category"
    assert notes["retrieval"]["kind"] == "exact"
    assert notes["retrieval"]["probes"] == len(BAKERS) + len(GARDENERS)
    assert notes["retrieval"]["recall"] == 1.0


@pytest.mark.parametrize("table", [NEIGHBOURS, POPULAR, SIMILAR])
def test_lists_for_everybody_are_the_same_bytes(stocked: JobContext, shop_hour: JobContext, table: object) -> None:
    found = (manifest_of(table, context.tables, context.key).digest for context in (stocked, shop_hour))
    assert len(set(found)) == 1


def test_factors_of_touched_items_are_the_same_bytes(bundle: CandidateBundle, shop_hour: JobContext) -> None:
    without = CandidateBundle.load(shop_hour.candidate_bundle)
    rows = bundle.items.rows(without.items.external_ids)
    assert bundle.item_factors[rows].tobytes() == without.item_factors.tobytes()
    assert [bundle.items.external_ids[row] for row in bundle.popular_rows] == [
        without.items.external_ids[row] for row in without.popular_rows
    ]


def test_a_new_item_lies_where_its_category_lies(stocked: JobContext, bundle: CandidateBundle) -> None:
    users, weights = read_weights(stocked, bundle.items)
    baker = bundle.fold_in.solve(weights)[users.rows(["b0"])[0]]
    rye, rake = bundle.retrieval.score(baker, bundle.items.rows([RYE, RAKE]))
    assert rye > rake
    assert bundle.attributes.prices[bundle.items.rows([RYE])[0]] == 4.0
    assert bundle.attributes.columns["brand"].values == ("forge", "mill")


def test_a_new_item_is_a_candidate_of_which_no_statistics_are_known(
    stocked: JobContext, bundle: CandidateBundle
) -> None:
    request = Request("stranger", stocked.end_seconds)
    (found,) = candidate_features(bundle, [request], len(bundle.items))
    rows = bundle.items.rows([RYE, *BAKERY_ITEMS])
    (new, *_), known = found.features[np.isin(found.rows, rows[:1])], found.features[np.isin(found.rows, rows[1:])]
    assert np.isnan(new).sum() > np.isnan(known).sum(axis=1).max() + 10


def test_personal_lists_hold_nothing_that_is_delisted(stocked: JobContext) -> None:
    lists = [row[ITEM_IDS] for row in rows_of(stocked, LISTS)]
    assert lists
    assert all(SOLD_OUT not in items for items in lists)


def test_the_same_catalogue_gives_the_same_bundle(stocked: JobContext) -> None:
    digest = read_manifest(stocked.candidate_bundle, made_by=MADE_BY)["digest"]
    train_candidates.run(stocked)
    assert read_manifest(stocked.candidate_bundle, made_by=MADE_BY)["digest"] == digest


def test_as_many_new_items_join_as_the_setting_says(stocked: JobContext) -> None:
    for most, joined in ((0, 11), (2, 13), (100, 14)):
        settings = replace(stocked.settings, new_items=most)
        assert len(train_candidates.read_offer(replace(stocked, settings=settings)).items) == joined


def test_weights_of_some_users_are_rows_of_those_of_all(stocked: JobContext, bundle: CandidateBundle) -> None:
    every, weights = read_weights(stocked, bundle.items)
    some = some_users(stocked, 3)
    users, found = read_weights(stocked, bundle.items, some)
    assert list(users.external_ids) == some == ["b0", "b5", "g5"]
    assert (found != weights[every.rows(some)]).nnz == 0

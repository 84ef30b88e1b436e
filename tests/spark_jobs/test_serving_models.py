"""An hour names the models that answer on demand for it, and its profiles are the requests that the batch makes."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import MissingInput
from contracts.event_weights import parse_event_weights
from contracts.features import USER_STATS_TABLE
from contracts.lake import INTERACTIONS
from contracts.serving_model import read_serving_model
from models.live_state import StateTerms, lay_over
from models.profile_file import ProfileFile
from models.user_state import LiveSession, OwnItems
from serving.inference.feature_log import FeatureLog
from serving.inference.messages import TailAsk, to_row
from serving.inference.worker import load_answerer
from spark_jobs.context import JobContext
from spark_jobs.feature_skew import logged_lines, measure_skew
from spark_jobs.partitions import read_interval
from spark_jobs.profiles import profiles, requests_of
from spark_jobs.serving_models import name_serving_model
from tests.worlds import BAKERS, GARDENERS

pytestmark = pytest.mark.spark


def test_the_models_that_an_hour_names_are_there(shop_hour: JobContext) -> None:
    layout, model = shop_hour.layout, read_serving_model(shop_hour.layout, shop_hour.key)
    folders = [model.candidates_folder(layout), model.ranker_folder(layout), model.profiles_folder(layout)]
    assert all((folder / "manifest.json").exists() for folder in [*folders, model.session_folder(layout) or folders[0]])
    assert model.as_of_at == shop_hour.end_seconds


def test_a_profile_without_a_session_is_the_request_of_the_batch(shop_hour: JobContext) -> None:
    stored = ProfileFile.open(shop_hour.layout.profiles / shop_hour.key)
    users = read_interval(shop_hour, USER_STATS_TABLE)
    batch = requests_of(
        profiles(read_interval(shop_hour, INTERACTIONS), users, users).toPandas(), shop_hour.end_seconds
    )
    terms = StateTerms(shop_hour.end_seconds, parse_event_weights(shop_hour.settings.event_weights))
    assert {request.user_id for request in batch} == {*BAKERS, *GARDENERS}
    for request in batch:
        found = lay_over(stored.read(request.user_id), request.user_id, LiveSession(), terms)
        assert found.own.item_ids == request.own.item_ids
        for name in OwnItems.__slots__[1:]:
            np.testing.assert_array_equal(getattr(found.own, name), getattr(request.own, name))
        np.testing.assert_array_equal(found.user_stats, request.user_stats)
        assert replace(found, own=request.own, user_stats=request.user_stats, session=request.session) == request
    stored.close()


def test_what_is_served_on_demand_is_what_the_tables_of_the_hour_give(shop_hour: JobContext, tmp_path: Path) -> None:
    answerer = load_answerer(shop_hour.settings, f"{shop_hour.key}.1", shop_hour.key)
    answerer.feature_log = FeatureLog(tmp_path, shop_hour.key, one_in=1, max_bytes=2**20)
    click = to_row(("e1", "view", "seeds", int(time.time() * 1_000), None))
    for user in (*BAKERS, *GARDENERS, "stranger"):
        for events in ([], [click]):
            assert answerer.answer(TailAsk(user, limit=5, events=events)).item_ids
    found = measure_skew(shop_hour.settings, logged_lines(tmp_path, 100))
    assert found.is_none and found.answers == 26 and not found.left_out and found.rows > 200


def test_nothing_is_named_before_the_profiles_are_there(shop_hour: JobContext, tmp_path: Path) -> None:
    elsewhere = replace(shop_hour, settings=replace(shop_hour.settings, root=tmp_path))
    with pytest.raises(MissingInput, match="headrace hour"):
        name_serving_model(elsewhere)

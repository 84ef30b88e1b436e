"""Events moved from the lake into a live session give the state, and the feature rows, of the hour that counts them."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from contracts.event_weights import parse_event_weights
from contracts.features import USER_STATS
from contracts.lake import EVENT_TYPE, EVENTS, ITEM_ID, ITEMS, OCCURRED_AT, PURCHASE, SESSION_ID, USER_ID, VALUE
from models.live_state import StateTerms, categories_of, lay_over
from models.profile import Profile
from models.two_stage import candidate_features
from models.user_state import LiveSession, Request
from spark_jobs.build_interactions import interactions
from spark_jobs.profiles import profiles, requests_of
from spark_jobs.user_stats import user_stats
from tests.models.small_world import make_bundle
from tests.worlds import INTERVAL, Row, event_row, item_row, small_settings

pytestmark = pytest.mark.spark
BUNDLE = make_bundle(60)
AS_OF = int(INTERVAL.end_at.timestamp())
CUT = INTERVAL.end_at - timedelta(hours=9)  # midnight lies between it and the end
NO_DECAY = {"half_life_days": 1e12}
PEOPLE = 80


def drawn_events(seed: int) -> list[Row]:
    """People with a past, with a present, or both; nobody names a session or another quantity than one."""
    draw = random.Random(seed)
    kinds = ("view", "click", PURCHASE, "hover")
    rows = []
    for person in range(PEOPLE):
        past, present = (draw.choice([0, 1, 2, 9, 30]), draw.choice([0, 1, 3, 9])) if person else (4, 4)
        spans = [(CUT - timedelta(days=50), CUT)] * past + [(CUT, INTERVAL.end_at)] * present
        for start, end in spans:
            at = start + timedelta(seconds=draw.randrange(int((end - start).total_seconds())))
            item = f"i{draw.choice([draw.randrange(60), draw.randrange(4)]):04d}"
            event = event_row(f"e{len(rows)}", f"p{person:02d}", item, at=at, kind=draw.choice(kinds))
            rows.append(event | {SESSION_ID: None, VALUE: draw.choice([None, 2.5, 0.333333, 9.99])})
    return rows


def catalogue() -> list[Row]:
    """The categories that the bundle knows."""
    names = (*BUNDLE.categories, None)
    return [item_row(i, names[code]) for i, code in zip(BUNDLE.items.external_ids, BUNDLE.category_codes, strict=True)]


def counted(spark: SparkSession, events: list[Row]) -> dict[str, Request]:
    """Everybody's request as the hour makes it of these events."""
    settings = small_settings(Path("unused"), **NO_DECAY)
    frame: DataFrame = spark.createDataFrame(events, EVENTS.spark_ddl)
    items = spark.createDataFrame([row | {"attributes": {}} for row in catalogue()], ITEMS.spark_ddl)
    pairs = interactions(frame, settings, as_of_at=AS_OF)
    stats = user_stats(frame, pairs, items, as_of_at=AS_OF)
    found = requests_of(profiles(pairs, stats, stats).toPandas(), AS_OF)
    return {request.user_id: request for request in found}


def session_of(events: list[Row], user: str) -> LiveSession:
    mine = sorted((row for row in events if row[USER_ID] == user), key=lambda row: row[OCCURRED_AT])
    at = [int(row[OCCURRED_AT].astimezone(UTC).timestamp()) for row in mine]
    values = [np.nan if row[VALUE] is None else row[VALUE] for row in mine]
    return LiveSession(
        tuple(row[ITEM_ID] for row in mine),
        tuple(row[EVENT_TYPE] for row in mine),
        np.array(at, np.int64),
        np.array(values, np.float64),
    )


def shown(request: Request) -> dict[str, object]:
    own = {name: list(getattr(request.own, name)) for name in request.own.__slots__}
    return own | dict(zip(USER_STATS, map(repr, request.user_stats.tolist()), strict=True))


@pytest.fixture(scope="module")
def states(spark: SparkSession) -> dict[str, tuple[Request, Request]]:
    """What the hour counts of all events, and what is laid over what it counted before the cut."""
    events = drawn_events(5)
    before = [row for row in events if row[OCCURRED_AT] < CUT]
    after = [row for row in events if row[OCCURRED_AT] >= CUT]
    whole, known = counted(spark, events), counted(spark, before)
    terms = StateTerms(AS_OF, parse_event_weights(small_settings(Path("unused")).event_weights), categories_of(BUNDLE))
    laid = {}
    for user in whole:
        profile = Profile(known[user].own, known[user].user_stats) if user in known else None
        laid[user] = lay_over(profile, user, session_of(after, user), terms)
    return {user: (whole[user], laid[user]) for user in whole}


def test_every_number_of_the_state_is_the_one_that_the_hour_counts(states: dict[str, tuple[Request, Request]]) -> None:
    assert len(states) > PEOPLE * 0.8 and datetime.fromtimestamp(AS_OF, UTC).day != CUT.day
    assert {user: shown(laid) for user, (_, laid) in states.items()} == {
        user: shown(whole) for user, (whole, _) in states.items()
    }


def test_and_so_is_every_feature(states: dict[str, tuple[Request, Request]]) -> None:
    for whole, laid in states.values():
        without_session = Request(laid.user_id, AS_OF, laid.own, laid.user_stats)
        (one,), (other,) = (candidate_features(BUNDLE, [asked], 30) for asked in (whole, without_session))
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.features, other.features)

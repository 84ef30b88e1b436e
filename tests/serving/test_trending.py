"""What trends is what many people turn to; one of them alone pushes nothing up."""

import time

import pytest
import redis
from flask import Flask

from contracts.lake import TRENDING
from contracts.redis_layout import TRENDING_BUCKET_SECONDS, popular_key, trending_people_key, trending_scores_key
from ingest.trending import FLOOR_PEOPLE
from serving import trending_shelf
from serving.trending_shelf import HALF_LIFE_SECONDS, decayed
from tests.serving.published import Version
from tests.serving.senders import Sender, event


@pytest.fixture(autouse=True)
def unkept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request makes the list anew."""
    monkeypatch.setattr(trending_shelf, "FRESH_SECONDS", -1.0)


def touch(sender: Sender, item: str, people: int, *, times: int = 1, event_type: str = "view") -> None:
    events = [event(event_type, item, user_id=f"user{n}") for n in range(people) for _ in range(times)]
    for start in range(0, len(events), 400):
        assert sender.post("/v1/events", events[start : start + 400]).status_code == 202


def trending(app: Flask, query: str = "") -> tuple[str, list[str], str]:
    answer = app.test_client().get(f"/v1/trending{query}").get_json()
    return answer["source"], [row["item_id"] for row in answer["items"]], answer["reason"]


def test_what_more_people_turn_to_comes_first(app: Flask, sender: Sender) -> None:
    touch(sender, "dill", FLOOR_PEOPLE)
    touch(sender, "eggs", FLOOR_PEOPLE * 3)
    touch(sender, "zebra", FLOOR_PEOPLE, event_type="purchase")
    assert trending(app)[:2] == ("trending", ["zebra", "eggs", "dill"])
    assert trending(app, "?limit=1")[1] == ["zebra"]


def test_one_person_pushes_nothing_up(app: Flask, sender: Sender, lists: redis.Redis) -> None:
    touch(sender, "spam", 1, times=1_000, event_type="purchase")
    touch(sender, "spam", FLOOR_PEOPLE - 1, times=50, event_type="purchase")
    assert "spam" not in trending(app)[1]
    touch(sender, "eggs", FLOOR_PEOPLE * 6)
    touch(sender, "spam", FLOOR_PEOPLE)
    touch(sender, "spam", 1, times=1_000)
    source, items, _ = trending(app)
    assert (source, items[0]) == ("trending", "spam")  # purchases by enough people may
    score = lists.zscore(trending_scores_key(int(time.time()) // TRENDING_BUCKET_SECONDS), "eggs")
    touch(sender, "eggs", 1, times=1_000)
    assert lists.zscore(trending_scores_key(int(time.time()) // TRENDING_BUCKET_SECONDS), "eggs") <= score + 2


def test_nothing_of_this_hour_falls_back_to_the_last_one(app: Flask, lists: redis.Redis) -> None:
    source, _, reason = trending(app)
    assert (source, reason) == ("popular", "nothing trends at this moment; popular overall")
    lists.set(popular_key(Version().name, TRENDING, ""), Version(turn=2).answer("trending", "popular"))
    source, items, reason = trending(app)
    assert (source, items[0]) == ("popular", "cheese")
    assert reason == "nothing trends at this moment; trending by the last hour"


def test_a_delisted_item_does_not_trend(app: Flask, sender: Sender, office: Sender) -> None:
    touch(sender, "eggs", FLOOR_PEOPLE)
    touch(sender, "dill", FLOOR_PEOPLE)
    office.post("/v1/items", [{"item_id": "eggs", "available": False}])
    assert trending(app)[1] == ["dill"]


def test_old_events_do_not_count_as_now(app: Flask, sender: Sender, lists: redis.Redis) -> None:
    at = time.time() - 2 * TRENDING_BUCKET_SECONDS
    sender.post("/v1/events", [event("view", "eggs", user_id=f"u{n}", occurred_at=at) for n in range(20)])
    assert not lists.exists(trending_people_key(int(time.time()) // 3_600))


def test_a_score_halves_with_each_half_life() -> None:
    now = 1_000 * TRENDING_BUCKET_SECONDS
    older = 999 - int(HALF_LIFE_SECONDS) // TRENDING_BUCKET_SECONDS
    assert decayed([(1_000, [b"a", b"4"]), (999, [b"b", b"4"]), (older, [b"c", b"4"])], now) == {
        b"a": 4.0,
        b"b": 4.0,
        b"c": 2.0,
    }

"""Served features are the batch's own, and where they are not the comparison says which."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from contracts.feature_record import FEATURE_LOG_FOLDER
from contracts.features import FEATURE_ORDER, USER_STATS, USER_STATS_TABLE
from contracts.intervals import Interval
from contracts.lake import INTERACTIONS, PURCHASE
from contracts.settings import Layout, Settings, as_environment
from headrace.__main__ import app
from models.item_filter import ItemFilter
from models.profile import Profile
from models.profile_file import ProfileFile, write_profile_file
from models.profile_record import encode_profile
from serving.inference.feature_log import FeatureLog, drop_oldest
from serving.inference.messages import TailAsk, to_row
from serving.inference.worker import load_answerer
from spark_jobs import build_profiles, feature_skew
from spark_jobs.context import JobContext
from spark_jobs.feature_skew import GARBLED, GONE, OTHER_ORDER, UNREAD, Skew, logged_lines, measure_skew
from tests.serving.inference_world import HOUR, write_hour
from tests.spark_jobs.lake_people import lay, pair, stats_of

NOW = int(time.time())
PEOPLE = 12
PAIRS = [pair(f"p{n}", f"i{item:04d}", at=NOW - 4_000 - 50 * item) for n in range(PEOPLE) for item in range(n, 300, 23)]
CHEAP = ItemFilter.parse({"field": "category", "in": ["c1", "c2"]}).canonical()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An hour in place: tables, bundles and profiles."""
    settings = Settings(root=tmp_path, feature_log_one_in=1, candidate_count=80)
    write_hour(tmp_path, HOUR)
    context = JobContext(Interval.of_key(HOUR), settings)
    lay(context, INTERACTIONS, PAIRS)
    lay(context, USER_STATS_TABLE, stats_of(PAIRS))
    build_profiles.run(context)
    return settings


def clicks(*items: str) -> list[tuple[str, str, str, int, float | None]]:
    kinds = [("view", None), (PURCHASE, 2.5), ("not_interested", None)]
    return [
        to_row((f"e{n}", kinds[n % 3][0], item, (NOW - 60 + n) * 1_000, kinds[n % 3][1]))
        for n, item in enumerate(items)
    ]


def questions() -> list[TailAsk]:
    """Known people and strangers, with and without a session, exclusions, a filter, a list to be ranked."""
    known = [
        TailAsk(f"p{n}", limit=10, events=clicks(*[f"i{n:04d}", "i0007", "nowhere"][: n % 4])) for n in range(PEOPLE)
    ]
    return [
        *known,
        TailAsk("stranger", limit=10),
        TailAsk("anon:7", limit=10, events=clicks("i0003")),
        TailAsk("p1", limit=90, excluded=["i0001", "i0024", "not-in-the-bundle"], events=clicks("i0030")),
        TailAsk("p2", limit=10, filter=CHEAP, events=clicks("i0031")),
        TailAsk("p3", limit=3, items=["i0001", "i0009", "i0100"]),
        TailAsk("p4", limit=10, forgotten_ms=NOW * 1_000, events=clicks("i0005")),
    ]


def served(settings: Settings) -> Skew:
    """Answer all questions, then compare what was logged."""
    answerer = load_answerer(settings, f"{HOUR}.1", HOUR)
    answerer.warm()
    answerer.delist(["i0290"])
    for ask in questions():
        answerer.answer(ask)
    return measured(settings)


def measured(settings: Settings) -> Skew:
    return measure_skew(settings, logged_lines(Layout(settings.root).logs / FEATURE_LOG_FOLDER, 1_000))


def rewrite_profiles(settings: Settings, change: "dict[str, float]", *, idle_seconds: int = 0) -> None:
    """Store other profiles than the lake has: statistics set, own items touched at other times."""
    folder = Layout(settings.root).profiles / HOUR
    stored = ProfileFile.open(folder)
    found = {user: stored.read(user) for user in sorted(f"p{n}" for n in range(PEOPLE))}
    stored.close()
    records = []
    for user, profile in found.items():
        stats = np.array([change.get(name, value) for name, value in zip(USER_STATS, profile.user_stats, strict=True)])
        own = replace(profile.own, last_at=profile.own.last_at - idle_seconds)
        records.append((user, encode_profile(Profile(own, stats))))
    write_profile_file(folder, records, {})


def test_nothing_differs_between_what_is_served_and_what_the_lake_gives(settings: Settings) -> None:
    found = served(settings)
    assert (found.answers, found.left_out, found.other_candidates) == (len(questions()), {}, 0)
    assert found.is_none and found.rows > 200 and tuple(found.differing) == FEATURE_ORDER


def test_a_statistic_that_was_stored_wrong_is_named_and_nothing_else(settings: Settings) -> None:
    rewrite_profiles(settings, {"user_session_size": 99.0})
    found = served(settings)
    assert {name for name, share in found.differing.items() if share} == {"user_session_size"}
    assert 0 < found.differing["user_session_size"] < 1 and not found.is_none


def test_items_that_were_stored_with_other_instants_show(settings: Settings) -> None:
    rewrite_profiles(settings, {}, idle_seconds=3_600)
    differing = {name for name, share in served(settings).differing.items() if share}
    assert {"own_idle_days", "category_idle_days"} <= differing
    assert not differing & {"own_count", "user_event_count", "hour_of_day", "item_price"}


def test_another_order_of_candidates_is_seen(settings: Settings) -> None:
    served(settings)
    folder = Layout(settings.root).logs / FEATURE_LOG_FOLDER
    [file] = folder.glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b'"excluded":["i0290"]', b'"excluded":[]'))
    assert measured(settings).other_candidates > 0


def test_what_cannot_be_compared_is_counted_by_its_reason(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    served(settings)
    [file] = (Layout(settings.root).logs / FEATURE_LOG_FOLDER).glob("*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    of_p0 = lines[0]
    file.write_bytes(
        of_p0[:100] + b"\n"
        + of_p0.replace(HOUR.encode(), b"2026-01-31T06")
        + of_p0.replace(b'"known":true', b'"known":false')
        + of_p0
    )  # fmt: skip
    found = measured(settings)
    assert found.left_out == {GARBLED: 1, GONE: 1, UNREAD: 1} and found.answers == 1
    monkeypatch.setattr(feature_skew, "ORDER_DIGEST", "of another version")
    assert measured(settings).left_out == {GARBLED: 1, OTHER_ORDER: 3}


def test_one_of_so_many_answers_is_logged_and_none_when_told_so(settings: Settings) -> None:
    for one_in, expected in ((5, 4), (0, 0)):
        folder = settings.root / f"log-{one_in}"
        answerer = load_answerer(settings, f"{HOUR}.1", HOUR)
        answerer.feature_log = FeatureLog(folder, HOUR, one_in=one_in, max_bytes=2**20)
        for ask in questions():
            answerer.answer(ask)
        assert len(logged_lines(folder, 1_000)) == expected


def test_the_log_stays_within_its_size_and_keeps_the_newest(settings: Settings) -> None:
    folder, most = settings.root / "small", 400_000
    answerer = load_answerer(settings, f"{HOUR}.1", HOUR)
    answerer.feature_log = FeatureLog(folder, HOUR, one_in=1, max_bytes=most)
    for _ in range(6):
        for ask in questions():
            answerer.answer(ask)
    sizes = [file.stat().st_size for file in folder.glob("*.jsonl")]
    assert most / 2 < sum(sizes) <= most and len(sizes) > 3
    assert b'"p4"' in logged_lines(folder, 1)[0]
    drop_oldest(folder, 0)
    assert not list(folder.glob("*"))


def test_a_log_that_cannot_be_written_harms_no_answer(settings: Settings) -> None:
    (settings.root / "file").write_text("no folder")
    answerer = load_answerer(settings, f"{HOUR}.1", HOUR)
    answerer.feature_log = FeatureLog(settings.root / "file", HOUR, one_in=1, max_bytes=2**20)
    assert answerer.answer(TailAsk("p1", limit=5)).item_ids


def test_the_command_says_so_and_fails_when_something_differs(settings: Settings) -> None:
    served(settings)
    words, environment = ["skew", "--root", str(settings.root)], as_environment(replace(settings, root=Path("var")))
    fine = CliRunner().invoke(app, words, env=environment)
    assert fine.exit_code == 0 and "nothing differs" in fine.output
    rewrite_profiles(settings, {"user_price_mean": 0.01})
    served(settings)
    wrong = CliRunner().invoke(app, words, env=environment)
    assert wrong.exit_code == 1 and "% of rows differ in user_price_mean" in wrong.output

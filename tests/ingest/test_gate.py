"""The gate's rules, one by one; the fuzz beside this file holds them all together."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.dead_letter_contract import FORM, MEANING, PARSE, DeadLetter, decode_dead_letter
from contracts.event_contract import digest_of_id
from contracts.records import DEAD_LETTER, EVENT, IMPRESSION
from ingest.gate import Accepted, Gate, Refused
from ingest.refusals import RULES
from tests.ingest.known_events import BREAKS, NOW, RUBBISH, SECOND, valid_event

ROOT = Path(__file__).parents[2]
GATE = Gate()
HOUR = 3_600 * SECOND
VIEW = {
    "event_id": "0B7E3F2C-5d1a-4c8e-9f60-3a2b1c4d5e6f",
    "event_type": "view",
    "user_id": "ann",
    "item_id": "sku-1",
    "occurred_at": NOW,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


def accept(**fields: Any) -> Accepted:
    verdict = GATE.check(VIEW | fields, received_at=NOW)
    assert isinstance(verdict, Accepted), verdict
    return verdict


def refuse(**fields: Any) -> Refused:
    verdict = GATE.check(VIEW | fields, received_at=NOW)
    assert isinstance(verdict, Refused), verdict
    return verdict


@pytest.mark.parametrize(("reason", "break_it"), BREAKS)
def test_a_broken_rule_is_named_with_its_cure(reason: str, break_it: Any) -> None:
    verdict = GATE.check(break_it(valid_event(Random(1))), received_at=NOW)
    assert isinstance(verdict, Refused)
    assert verdict.reason == reason
    assert verdict.detail.endswith(rule_of(reason).cure)
    assert len(verdict.detail) < 400
    assert "\n" not in verdict.detail


def test_every_rule_has_an_event_that_breaks_it() -> None:
    met = {reason for reason, _ in (*BREAKS, *RUBBISH)}
    elsewhere = {"too_many_events", "*_not_unicode", "properties_not_json"}
    starred = {rule[1:] for rule in RULES if rule.startswith("*")}
    missing = [rule for rule in RULES if rule not in met | elsewhere and not _is_met(rule, met, starred)]
    assert missing == []


def test_what_is_accepted_becomes_a_record_for_its_person() -> None:
    verdict = accept(event_type="click", consent={"ads": False}, occurred_at=NOW - 2 * HOUR)
    assert verdict.event.event_id == VIEW["event_id"].lower()  # type: ignore[attr-defined]
    assert (verdict.record.kind, verdict.record.key) == (EVENT, "ann")
    assert verdict.record.digest == digest_of_id(verdict.event.event_id)
    assert verdict.record.bucket_hour == NOW // HOUR - 2
    assert accept(user_id=None, anonymous_id="b7").record.key == "anon:b7"


def test_an_impression_is_a_kind_of_its_own_and_has_an_id() -> None:
    shown: dict[str, Any] = {"event_type": "impression", "recommendation_id": "v.1", "item_ids": ["a", "b"]}
    verdict = accept(**shown)
    assert (verdict.record.kind, verdict.event.impression_id) == (IMPRESSION, verdict.event.event_id)
    assert accept(**shown, impression_id="list-7").event.impression_id == "list-7"
    assert accept().event.impression_id == ""


def test_retries_have_the_same_digest_in_the_same_hour_whatever_the_clock() -> None:
    first = accept(sent_at=NOW - 50 * SECOND)
    again = GATE.check(VIEW | {"sent_at": NOW - 40 * SECOND}, received_at=NOW + 2 * HOUR)
    assert isinstance(again, Accepted)
    assert first.event.occurred_at != again.event.occurred_at
    assert (first.record.digest, first.record.bucket_hour) == (again.record.digest, again.record.bucket_hour)


@given(st.integers(-(10**14), 10**14), st.integers(0, 3 * 24 * HOUR))
def test_a_wrong_clock_is_put_right_when_the_sender_says_when_it_sent(wrong_by: int, age: int) -> None:
    verdict = accept(occurred_at=str(NOW - age + wrong_by), sent_at=str(NOW + wrong_by))
    assert abs(verdict.event.occurred_at - (NOW - age)) <= 5 * SECOND


def test_a_clock_that_is_nearly_right_is_believed() -> None:
    assert accept(occurred_at=NOW - 9 * SECOND, sent_at=NOW - 4 * SECOND).event.occurred_at == NOW - 9 * SECOND
    assert accept(occurred_at=NOW - 9 * SECOND).event.occurred_at == NOW - 9 * SECOND


def test_the_batch_says_when_it_was_sent_for_events_that_do_not() -> None:
    events = [VIEW | {"occurred_at": NOW - HOUR}, VIEW | {"occurred_at": NOW - HOUR, "sent_at": NOW}]
    body = json.dumps({"events": events, "sent_at": (NOW - HOUR) // 1_000}).encode()
    first, second = GATE.check_batch(body, received_at=NOW)
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert (first.event.occurred_at, second.event.occurred_at) == (NOW, NOW - HOUR)


@pytest.mark.parametrize(("at", "reason"), [(NOW + 300 * SECOND, ""), (NOW + 300 * SECOND + 1, "occurred_at_ahead")])
def test_five_minutes_ahead_is_the_bound(at: int, reason: str) -> None:
    verdict = GATE.check(VIEW | {"occurred_at": at}, received_at=NOW)
    assert (verdict.reason if isinstance(verdict, Refused) else "") == reason


def test_the_first_of_2015_is_the_bound() -> None:
    start = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp())
    assert accept(occurred_at=start).event.occurred_at == start * SECOND
    assert refuse(occurred_at=start - 1).reason == "occurred_at_early"


def test_a_field_that_is_nearly_right_is_told_its_name() -> None:
    assert "near to item_id" in refuse(itemId="a").detail
    assert "set by the server" in refuse(received_at=1).detail


def test_halves_of_characters_are_refused_wherever_they_stand() -> None:
    half = "\ud83d"
    assert refuse(user_id=half).reason == "user_id_not_unicode"
    assert refuse(context={"channel": half}).reason == "context_not_unicode"
    assert refuse(context={half: "web"}).reason == "context_not_unicode"
    assert refuse(consent={half: True}).reason == "context_not_unicode"
    assert refuse(properties={"a": half}).reason == "properties_not_json"
    assert refuse(**{half: 1}).reason == "unknown_field"


@given(JSON)
def test_nothing_that_is_parsed_makes_the_gate_fail(raw: Any) -> None:
    assert isinstance(GATE.check(raw, received_at=NOW), Refused)


@given(st.sampled_from(sorted(VIEW)), JSON)
def test_no_value_of_a_field_makes_the_gate_fail(name: str, value: Any) -> None:
    verdict = GATE.check(VIEW | {name: value}, received_at=NOW)
    assert isinstance(verdict, Accepted | Refused)


@given(st.binary(max_size=200) | st.text('[]{},:" \\a1', max_size=60).map(str.encode))
def test_no_body_makes_the_gate_fail(body: bytes) -> None:
    for verdict in GATE.check_batch(body, received_at=NOW):
        assert isinstance(verdict, Refused)


def test_a_dead_letter_has_the_bytes_as_they_came() -> None:
    good, bad = json.dumps(VIEW).encode(), b'{"event_id" :  "x", "schema_version": 4}'
    body = b'{"sent_at": %d, "events": [%b, %b]}' % (NOW, good, bad)
    _, verdict = GATE.check_batch(body, received_at=NOW, source="key 3")
    assert isinstance(verdict, Refused)
    letter = letter_of(verdict)
    assert (verdict.record.kind, verdict.event_id, letter.raw) == (DEAD_LETTER, "x", bad)
    assert (letter.stage, letter.schema_version, letter.source, letter.sent_at) == (FORM, 4, "key 3", NOW)
    assert (letter.reason, letter.detail) == (verdict.reason, verdict.detail)


def test_the_same_mistake_again_is_the_same_letter_but_not_of_another_sender() -> None:
    def letter(received_at: int, source: str) -> DeadLetter:
        (verdict,) = GATE.check_batch(b"[7]", received_at=received_at, source=source)
        assert isinstance(verdict, Refused)
        return letter_of(verdict)

    assert letter(NOW, "a").letter_id == letter(NOW + 1, "a").letter_id != letter(NOW, "b").letter_id
    assert replace(letter(NOW, "a"), received_at=NOW + 1) == letter(NOW + 1, "a")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"event_type=view", "not_json"),
        (b'{"events": [], "sentAt": 1}', "unknown_field"),
        (b'{"events": [{}], "sent_at": "now"}', "sent_at_unreadable"),
        (b'{"events": [{}], "sent_at": }', "not_json"),
        (b"[" + b"{}," * 500 + b"{}]", "too_many_events"),
    ],
)
def test_a_body_that_cannot_be_a_batch_gets_one_verdict(body: bytes, reason: str) -> None:
    (verdict,) = GATE.check_batch(body, received_at=NOW)
    assert isinstance(verdict, Refused)
    assert verdict.reason == reason
    assert letter_of(verdict).raw == body


def test_stages_tell_bytes_from_fields_from_meaning() -> None:
    (parse,) = GATE.check_batch(b"{", received_at=NOW)
    assert isinstance(parse, Refused)
    stages = (parse.stage, refuse(value="x").stage, refuse(occurred_at=1).stage)
    assert stages == (PARSE, FORM, MEANING)


def letter_of(verdict: Refused) -> DeadLetter:
    return decode_dead_letter(verdict.record.payload)


def rule_of(reason: str) -> Any:
    if reason in RULES:
        return RULES[reason]
    return next(RULES[rule] for rule in RULES if rule.startswith("*") and reason.endswith(rule[1:]))


def _is_met(rule: str, met: set[str], starred: set[str]) -> bool:
    return rule[1:] in starred and any(reason.endswith(rule[1:]) for reason in met if reason not in RULES)


def test_a_server_of_look_ups_loads_the_gate_without_arrow() -> None:
    program = "import sys, ingest.gate; print(sorted({'pyarrow', 'numpy', 'pandas', 'redis'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"

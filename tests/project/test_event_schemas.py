"""The schemas of the stream: every version reads every other one, and what is written comes back."""

import copy
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.dead_letter_contract import STAGES, DeadLetter, decode_dead_letter, letter_id_of, record_of_dead_letter
from contracts.entity_contract import (
    Item,
    Tombstone,
    User,
    decode_item,
    decode_tombstone,
    decode_user,
    record_of_item,
    record_of_tombstone,
    record_of_user,
)
from contracts.errors import CorruptData
from contracts.event_contract import Event, decode_event, digest_of_id, record_of_event, uuid_of_text
from contracts.payloads import SUBJECTS, decode_payload, encode_payload, schema_documents
from contracts.records import EVENT, ITEM, TOMBSTONE
from tests.project.schema_evolution import evolution_faults

ROOT = Path(__file__).parents[2]
# Digests of what each version says, its docs aside: a version that was once released never changes.
RELEASED = {
    ("event", 1): "7f0e151f3e68",
    ("item", 1): "e2d9f5e97d80",
    ("user", 1): "2dac8086100d",
    ("tombstone", 1): "45827e26befa",
    ("dead_letter", 1): "40cf8f2c898e",
}
SMALL = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}
TEXT, NUMBER = st.text(max_size=20), st.none() | st.floats(allow_nan=False)
LONG = st.integers(-(2**62), 2**62)
TEXTS = st.dictionaries(TEXT, TEXT, max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.builds(
    Event,
    *(TEXT,) * 7,
    *(LONG,) * 3,
    value=NUMBER,
    currency=TEXT,
    quantity=NUMBER,
    recommendation_id=TEXT,
    impression_id=TEXT,
    item_ids=st.lists(TEXT, max_size=3).map(tuple),
    context=TEXTS,
    consent=st.dictionaries(TEXT, st.booleans(), max_size=3),
    properties=st.dictionaries(TEXT, JSON, max_size=3),
)


def grown(*fields: dict[str, Any], without: str = "") -> dict[str, Any]:
    """SMALL with more fields, or one less."""
    document = copy.deepcopy(SMALL)
    kept = [field for field in document["fields"] if field["name"] != without]
    return document | {"fields": [*kept, *fields]}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_version_of_a_schema_reads_every_other_one(subject: str) -> None:
    versions = schema_documents(subject)
    assert list(versions) == list(range(1, len(versions) + 1)), "a version was left out or taken away"
    assert evolution_faults(versions) == []


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_released_version_stays_as_it_is(subject: str) -> None:
    for version, document in schema_documents(subject).items():
        assert RELEASED.get((subject, version)) == digest_without_docs(document), f"{subject} v{version}"


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_field_says_what_it_means_and_most_can_be_left_out(subject: str) -> None:
    for document in schema_documents(subject).values():
        assert document["doc"].endswith(".")
        assert all(field["doc"].endswith(".") for field in document["fields"])
        needed = {field["name"] for field in document["fields"] if "default" not in field}
        assert needed <= {
            "event_id",
            "event_type",
            "occurred_at",
            f"{subject}_id",
            "letter_id",
            "user_id",
            "forgotten_at",
        }


def test_every_schema_is_packed_with_the_code() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["contracts"]
    packed = {file for pattern in patterns for file in (ROOT / "contracts").glob(pattern)}
    assert packed >= set((ROOT / "contracts").rglob("*.avsc"))


@pytest.mark.parametrize(
    ("evolved", "broken"),
    [
        (grown({"name": "b", "type": "string"}), "v1 -> v2"),
        (grown({"name": "b", "type": "string", "default": ""}, without="a"), "v2 -> v1"),
        (grown({"name": "a", "type": "long"}, without="a"), "v1 -> v2"),
        (grown({"name": "a", "type": ["null", "string"], "default": None}, without="a"), "v2 -> v1"),
        (grown({"name": "a", "type": "bytes"}, without="a"), "another value"),
    ],
    ids=["added without a default", "removed without a default", "another type", "null where none was", "bytes"],
)
def test_an_evolution_that_breaks_a_reader_is_caught(evolved: dict[str, Any], broken: str) -> None:
    assert any(broken in fault for fault in evolution_faults({1: SMALL, 2: evolved}))


def test_an_evolution_that_only_breaks_the_version_before_last_is_caught() -> None:
    with_default = grown({"name": "a", "type": "string", "default": ""}, without="a")
    versions = {1: SMALL, 2: with_default, 3: grown(without="a")}
    assert evolution_faults({2: versions[2], 3: versions[3]}) == []
    assert [fault.split(":")[0] for fault in evolution_faults(versions)] == ["v3 -> v1"]


def test_a_field_with_a_default_may_come_and_go() -> None:
    more = grown({"name": "b", "type": ["null", "double"], "default": None})
    assert evolution_faults({1: SMALL, 2: more, 3: SMALL}) == []


@given(EVENTS)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert decode_event(record_of_event(event).payload) == event


@given(TEXT, TEXT, NUMBER, TEXTS, LONG)
def test_items_people_and_tombstones_come_back(one: str, other: str, price: float | None, texts: Any, at: int) -> None:
    item, user, tombstone = Item(one, other, price, texts, at, one), User(one, other, texts, at), Tombstone(one, at)
    assert decode_item(record_of_item(item).payload) == item
    assert decode_user(record_of_user(user).payload) == user
    assert decode_tombstone(record_of_tombstone(tombstone).payload) == tombstone
    assert {record_of_item(item).key, record_of_user(user).key, record_of_tombstone(tombstone).key} == {one}


@given(st.binary(max_size=50), TEXT, st.sampled_from(STAGES))
def test_a_dead_letter_keeps_its_bytes(raw: bytes, source: str, stage: str) -> None:
    letter = DeadLetter(letter_id_of(source, raw), 1, "not_json", "no JSON", stage, 1, source, raw, 2)
    record = record_of_dead_letter(letter)
    assert decode_dead_letter(record.payload) == letter
    assert record.digest == 0


@given(st.binary(max_size=60), st.sampled_from([EVENT, ITEM, TOMBSTONE]))
def test_bytes_that_are_no_payload_are_named_so(rubbish: bytes, kind: str) -> None:
    try:
        decode_payload(kind, rubbish)
    except CorruptData as error:
        assert kind in str(error)


def test_a_payload_of_a_version_from_the_future_says_what_to_do() -> None:
    payload = encode_payload(TOMBSTONE, {"user_id": "ann", "forgotten_at": 1})
    with pytest.raises(CorruptData, match=r"schema version 9; known are 1: upgrade"):
        decode_payload(TOMBSTONE, b"\x09" + payload[1:])
    with pytest.raises(CorruptData, match="goes on"):
        decode_payload(TOMBSTONE, payload + b"\x00")
    with pytest.raises(CorruptData, match="kind 'rumour' is unknown"):
        decode_payload("rumour", payload)


@given(TEXT)
def test_digests_fit_64_bits_and_are_never_the_one_that_means_none(text: str) -> None:
    assert -(2**63) <= digest_of_id(text) < 2**63
    assert digest_of_id(text) != 0
    assert uuid_of_text(text) == uuid_of_text(text) != uuid_of_text(text + "x")


def digest_without_docs(document: Any) -> str:
    def bare(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: bare(value) for key, value in part.items() if key != "doc"}
        return [bare(one) for one in part] if isinstance(part, list) else part

    return hashlib.sha256(json.dumps(bare(document), sort_keys=True).encode()).hexdigest()[:12]

"""Contracts hold their own laws: keys are injective and stay in one slot, answers name their list."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.answers import AnswerHead, encode_answer, recommendation_id
from contracts.errors import CorruptData, MissingInput
from contracts.features import CATEGORY, FEATURE_ORDER, ITEM_STATS_TABLE
from contracts.lake import EVENTS
from contracts.manifest import Manifest, digest_of
from contracts.redis_layout import Pointer, escape, list_key, overlay_key, popular_key, profile_key

IDS = st.text(min_size=1, max_size=40)


@given(IDS, IDS)
def test_two_ids_never_share_a_key(one: str, other: str) -> None:
    assert (list_key("v", one) == list_key("v", other)) == (one == other)


@given(IDS)
def test_what_one_look_up_reads_shares_a_hash_tag(user_id: str) -> None:
    tags = {
        key[key.index("{") + 1 : key.index("}")]
        for key in (list_key("v", user_id), overlay_key(user_id), profile_key("v", user_id))
    }
    assert tags == {escape(user_id)}


@given(IDS)
def test_a_key_of_an_id_has_no_brace_of_its_own(text: str) -> None:
    assert "{" not in popular_key("v", "category", text) and "}" not in escape(text)


def test_a_pointer_comes_back_and_rubbish_is_named() -> None:
    pointer = Pointer("2026-01-31T07.3", 3, "2026-01-31T07", "2026-01-31T08:00:00Z")
    assert Pointer.decode(pointer.encode()) == pointer
    for raw in (b"rubbish", b"{}", b"[1]"):
        with pytest.raises(CorruptData, match="republish"):
            Pointer.decode(raw)


def test_an_answer_has_the_stated_fields_and_six_digits() -> None:
    head = AnswerHead("ann", "head", "stored list", "2026-01-31T07.3", "2026-01-31T08:00:00Z")
    body = json.loads(encode_answer(head, ["a", "b"], [1.23456789, 0.5]))
    assert body["items"] == [{"item_id": "a", "score": 1.23457}, {"item_id": "b", "score": 0.5}]
    assert body["recommendation_id"] == recommendation_id("2026-01-31T07.3", "ann")
    assert list(body) == ["items", "source", "reason", "version", "generated_at", "recommendation_id", "subject"]


def test_an_answer_never_drops_items_silently() -> None:
    with pytest.raises(ValueError, match="zip"):
        encode_answer(AnswerHead("ann", "head", "", "v", "t"), ["a", "b"], [1.0])


def test_a_manifest_comes_back_and_its_absence_names_the_cure(tmp_path: Path) -> None:
    manifest = Manifest("clean_events", 3, digest_of("a", "b"), {"raw": "x"}, 0.5, {"late": 1})
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path, made_by="x") == manifest
    with pytest.raises(MissingInput, match="make it with: headrace hour"):
        Manifest.read(tmp_path / "nowhere", made_by="headrace hour")
    (tmp_path / "_manifest.json").write_text("{}")
    with pytest.raises(CorruptData, match="rerun: headrace hour"):
        Manifest.read(tmp_path, made_by="headrace hour")


def test_digests_keep_order() -> None:
    assert digest_of("a", "b") != digest_of("b", "a")


def test_a_partition_needs_every_value(tmp_path: Path) -> None:
    assert EVENTS.partition(tmp_path, "2026-01-31", "07") == tmp_path / "events/date=2026-01-31/hour=07"
    with pytest.raises(ValueError, match="zip"):
        EVENTS.partition(tmp_path, "2026-01-31")


def test_features_are_at_least_sixty_and_named_once() -> None:
    assert len(FEATURE_ORDER) >= 60
    assert len(set(FEATURE_ORDER)) == len(FEATURE_ORDER)
    assert ITEM_STATS_TABLE.column_names[1] == CATEGORY

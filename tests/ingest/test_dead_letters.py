"""Dead letters are found in the lake, and replaying them twice is the same as once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from contracts.errors import BadInput, MissingInput
from contracts.event_contract import Event, decode_event
from ingest.dead_letters import Choice, find_letter, list_letters, read_letters
from ingest.memory_stream import MemoryStream
from ingest.refusals import MAX_EVENTS
from ingest.replay import replay
from tests.ingest.known_events import BREAKS, NOW, SECOND, valid_event
from tests.ingest.letter_lakes import lay_letters, letters_of

NOW_AT = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=NOW)
HOUR = timedelta(hours=1)
VIEW: dict[str, Any] = {"event_type": "view", "user_id": "ann", "item_id": "sku-1", "occurred_at": NOW - SECOND}


def body_of(**fields: Any) -> bytes:
    return json.dumps(VIEW | fields).encode()


def events_on(stream: MemoryStream) -> list[Event]:
    return [decode_event(entry.record.payload) for entry in stream.entries_after(0, 10_000, 0)]


def test_letters_are_found_by_reason_and_time(tmp_path: Path) -> None:
    hours_ago = NOW - 2 * 3_600 * SECOND
    lay_letters(tmp_path, [*letters_of(b"7", b"{", received_at=hours_ago), *letters_of(b"8")])
    notes = list_letters(tmp_path, Choice())
    assert sorted(note.reason for note in notes[:2]) == ["not_an_event", "not_json"]
    assert (notes[2].reason, notes[2].received_at) == ("not_an_event", NOW_AT)
    assert len(list_letters(tmp_path, Choice(reason="not_an_event"))) == 2
    assert len(list_letters(tmp_path, Choice(from_at=NOW_AT))) == 1
    assert len(list_letters(tmp_path, Choice(from_at=NOW_AT + timedelta(microseconds=1)))) == 0
    assert len(list_letters(tmp_path, Choice(to_at=NOW_AT))) == 2
    assert len(list_letters(tmp_path, Choice(to_at=NOW_AT - 2 * HOUR))) == 0
    assert list_letters(tmp_path / "nowhere", Choice()) == []


def test_a_mistake_made_again_is_one_letter_that_came_twice(tmp_path: Path) -> None:
    first, again = letters_of(b"7", received_at=NOW - 3_600 * SECOND), letters_of(b"7")
    lay_letters(tmp_path, [*first, *again])
    (note,) = list_letters(tmp_path, Choice())
    assert (note.times, note.received_at) == (2, NOW_AT)
    assert list(read_letters(tmp_path, Choice())) == first


def test_a_letter_comes_back_from_the_lake_as_it_was(tmp_path: Path) -> None:
    letters = letters_of(b'{"events": [{"user_id": "\xff"}], "sent_at": %d}' % NOW, source="key 3")
    lay_letters(tmp_path, letters)
    assert list(read_letters(tmp_path, Choice())) == letters
    assert letters[0].sent_at == NOW


def test_the_beginning_of_an_id_is_enough_while_it_is_the_only_one(tmp_path: Path) -> None:
    letters = letters_of(*(str(number).encode() for number in range(40)))
    lay_letters(tmp_path, letters)
    note, letter = find_letter(tmp_path, letters[3].letter_id[:12])
    assert (note.letter_id, letter) == (letters[3].letter_id, letters[3])
    with pytest.raises(MissingInput, match="no dead letter begins with zz"):
        find_letter(tmp_path, "zz")
    with pytest.raises(BadInput, match="give more of the id"):
        find_letter(tmp_path, "")


def test_replaying_twice_is_the_same_as_once() -> None:
    stream = MemoryStream()
    letters = letters_of(body_of(), body_of(event_id="order 7", user_id="bob"), b"7")
    first, second = replay(letters, stream), replay(letters, stream)
    assert (first.new, first.duplicates, [verdict.reason for _, verdict in first.refused]) == (2, 0, ["not_an_event"])
    assert (second.new, second.duplicates) == (0, 2)
    assert [event.user_id for event in events_on(stream)] == ["ann", "bob"]
    assert len({event.event_id for event in events_on(stream)}) == 2


def test_a_mended_letter_is_taken_instead() -> None:
    stream = MemoryStream()
    letters = letters_of(body_of(item_id=None, event_id="0b7e3f2c-5d1a-4c8e-9f60-3a2b1c4d5e6f"))
    assert [verdict.reason for _, verdict in replay(letters, stream).refused] == ["item_id_missing"]
    outcome = replay(letters, stream, mended=body_of(item_id="mended"))
    assert (outcome.new, outcome.refused) == (1, [])
    assert replay(letters, stream, mended=body_of(item_id="mended")).duplicates == 1
    assert [event.item_id for event in events_on(stream)] == ["mended"]


def test_times_are_judged_as_when_the_letter_came() -> None:
    stream = MemoryStream()
    ahead = body_of(occurred_at=NOW + 3_600 * SECOND, event_id="0b7e3f2c-5d1a-4c8e-9f60-3a2b1c4d5e6f")
    assert [verdict.reason for _, verdict in replay(letters_of(ahead), stream).refused] == ["occurred_at_ahead"]
    slow_clock = {"events": [VIEW | {"occurred_at": NOW - 7_200 * SECOND}], "sent_at": NOW - 7_200 * SECOND}
    assert replay(letters_of(json.dumps(slow_clock).encode()), stream).new == 1
    (event,) = events_on(stream)
    assert (event.occurred_at, event.received_at) == (NOW, NOW)


def test_a_body_with_too_many_events_is_replayed_whole() -> None:
    stream = MemoryStream()
    body = json.dumps([VIEW | {"item_id": f"sku-{number}"} for number in range(MAX_EVENTS + 1)]).encode()
    letters = letters_of(body)
    assert [letter.reason for letter in letters] == ["too_many_events"]
    assert replay(letters, stream).new == MAX_EVENTS + 1
    assert replay(letters, stream).duplicates == MAX_EVENTS + 1


@pytest.mark.parametrize(("reason", "break_it"), BREAKS)
def test_what_was_refused_is_refused_again_unless_only_its_id_was_wrong(reason: str, break_it: Any) -> None:
    letters = letters_of(json.dumps(break_it(valid_event(Random(1)))).encode())
    outcome = replay(letters, MemoryStream())
    expected = [] if reason.startswith("event_id_") else [reason]
    assert [verdict.reason for _, verdict in outcome.refused] == expected


def test_progress_is_told_letter_by_letter() -> None:
    told: list[int] = []
    replay(letters_of(b"1", b"2", b"3"), MemoryStream(), on_letter=told.append)
    assert told == [1, 2, 3]

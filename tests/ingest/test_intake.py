"""The intake acknowledges only what is durable, and keeps what one server must still be told."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import redis

from contracts.entity_contract import Item, record_of_item
from contracts.errors import StoreUnavailable
from contracts.event_contract import PURCHASE, Event, record_of_event
from contracts.overlay import decode_overlay
from contracts.records import Record
from contracts.redis_layout import DELISTED, overlay_key
from contracts.settings import Settings
from headrace.embedded_redis import EmbeddedRedis
from ingest.breaker import Breaker
from ingest.hot_writer import HotWriter
from ingest.intake import Intake
from ingest.memory_stream import MemoryConsumer, MemoryStream
from ingest.redis_store import open_store
from ingest.spool import Spool, SpoolFull
from ingest.stream import StreamFull
from tests.ingest.happenings import happening

WAIT_SECONDS = 20.0


class Away:
    """A stream that a test takes away and brings back."""

    def __init__(self) -> None:
        self.stream = MemoryStream()
        self.is_away = False

    def append(self, records: Sequence[Record], deadline: float) -> list[bool]:
        if self.is_away:
            raise StoreUnavailable("the test took it away")
        return self.stream.append(records, deadline)

    def close(self) -> None:
        self.stream.close()

    def close_mine(self) -> None:
        self.stream.close_mine()

    def keys(self) -> list[str]:
        return [entry.record.key for entry in MemoryConsumer(self.stream).read(1_000, 0)]


@pytest.fixture
def producer() -> Away:
    return Away()


def open_intake(settings: Settings, producer: Away, max_bytes: int = 1_000_000) -> Intake:
    hot = HotWriter(open_store(settings, lambda _kind: None), settings)
    return Intake(producer, hot, Spool(settings.root / "spool", max_bytes), Breaker(0.02))


@pytest.fixture
def settings(redis_server: EmbeddedRedis, tmp_path: Path) -> Settings:
    return Settings(root=tmp_path, redis_url=redis_server.url, breaker_open_ms=20)


@pytest.fixture
def intake(settings: Settings, producer: Away) -> Iterator[Intake]:
    opened = open_intake(settings, producer)
    yield opened
    opened.close()


def take(intake: Intake, *events: Event) -> tuple[Sequence[bool], bool]:
    taken = intake.take([record_of_event(event) for event in events], events)
    return taken.news, taken.visible


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def test_a_duplicate_is_told_and_is_visible(intake: Intake, producer: Away) -> None:
    event = happening(PURCHASE)
    assert take(intake, event) == ([True], True)
    assert take(intake, event) == ([False], True)
    assert producer.keys() == ["ada"]


def test_events_while_the_stream_is_away_come_into_it_in_order(
    intake: Intake, producer: Away, redis_server: EmbeddedRedis
) -> None:
    producer.is_away = True
    people = [f"user{number}" for number in range(20)]
    for person in people[:10]:
        assert take(intake, happening(PURCHASE, user_id=person)) == ([True], False)
    producer.is_away = False
    for person in people[10:]:
        take(intake, happening(PURCHASE, user_id=person))
    wait_until(lambda: len(producer.keys()) == 20)
    assert producer.keys() == people
    with redis.Redis.from_url(redis_server.url) as client:
        wait_until(lambda: all(client.exists(overlay_key(person)) for person in people))


def test_what_the_lists_were_not_told_they_are_told_later_in_order(
    own_redis_server: EmbeddedRedis, tmp_path: Path, producer: Away
) -> None:
    settings = Settings(root=tmp_path, redis_url=own_redis_server.url, breaker_open_ms=20)
    intake = open_intake(settings, producer)
    with redis.Redis.from_url(own_redis_server.url) as client:
        client.execute_command("CLIENT", "PAUSE", "1500", "ALL")
        event = happening(PURCHASE)
        assert take(intake, event) == ([True], False)
        for attributes in ({"available": "false"}, {}):
            item = Item("apple", attributes=attributes)
            assert not intake.take([record_of_item(item)], [item]).visible
        assert producer.keys() == ["ada", "apple", "apple"]
        wait_until(lambda: not any((tmp_path / "spool").glob("*.spool")))
        assert decode_overlay(client.get(overlay_key("ada"))).events[0].event_id == event.event_id
        assert not client.exists(DELISTED)
        assert take(intake, happening()) == ([True], True)
    intake.close()


def test_a_full_stream_is_told_and_not_spooled(intake: Intake, producer: Away, tmp_path: Path) -> None:
    producer.stream = MemoryStream(max_bytes=10)
    for _ in range(5):
        with pytest.raises(StreamFull):
            take(intake, happening())
    assert not any(tmp_path.glob("spool/*.spool"))


def test_a_full_spool_is_told_while_the_stream_is_away(settings: Settings, producer: Away) -> None:
    intake = open_intake(settings, producer, max_bytes=300)
    producer.is_away = True
    with pytest.raises(SpoolFull):
        for _ in range(5):
            take(intake, happening())
    intake.close()

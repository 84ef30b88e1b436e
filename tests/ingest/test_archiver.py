"""Whatever dies when, each record is in the lake once; the watermark never says more than what is there."""

import errno
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from contracts.dead_letter_contract import DeadLetter, record_of_dead_letter
from contracts.entity_contract import Item, Tombstone, User, record_of_item, record_of_tombstone, record_of_user
from contracts.errors import BadInput
from contracts.lake import DEAD_LETTERS, EVENTS, IMPRESSIONS, ITEMS, TOMBSTONES, USERS
from contracts.lake_notes import archived_until, dirty_hours, watermark_file
from contracts.records import Record
from contracts.settings import Settings
from headrace.embedded_redis import EmbeddedRedis
from ingest import archiver as archiver_module
from ingest.archive_journal import COMMITTED, FOLDER, MARKED, MOVED, STAGED
from ingest.archive_watermark import IN_FLIGHT_SECONDS, Watermark
from ingest.archiver import FORGOTTEN, LAID, NOTED, READ, Archiver, only_archiver
from ingest.consumers import open_consumer
from ingest.memory_stream import MemoryConsumer, MemoryStream
from ingest.scratch import open_scratch
from ingest.spool import FOLDER as SPOOL
from ingest.spool import Spool
from ingest.spool_segments import note_done
from tests.archive_and_die import archive, kill_at, lake_of
from tests.ingest.archived import NOON, SECONDS, append, event, event_counts, once_each
from tests.ingest.lakes import bytes_of, rows_of
from tests.kafka_broker import KafkaBroker

HOUR = timedelta(hours=1)


@pytest.fixture
def settings(tmp_path: Path, redis_server: EmbeddedRedis) -> Settings:
    """A lake of this test's own, and an empty stream."""
    return Settings(root=tmp_path / "root", stream_url=redis_server.url, archive_flush_seconds=0.2)


def everything() -> list[Record]:
    """A record of each kind, events over three hours and some of them twice."""
    letter = DeadLetter("l1", int(NOON.timestamp() * 1e6), "bad_time", "too old", "meaning", 1, "web", b"raw")
    return [
        *(event(number, at=NOON + number % 3 * HOUR) for number in range(60)),
        event(900, event_type="impression", item_ids=("i1", "i2"), context={"placement": "home"}),
        record_of_item(Item("i1", "tea")),
        record_of_item(Item("i1", "coffee")),
        record_of_user(User("u1", "north")),
        record_of_tombstone(Tombstone("u2", 2_000_000)),
        record_of_tombstone(Tombstone("u2", 1_000_000)),
        record_of_dead_letter(letter),
        Record("event", "u9", b"\x01no avro"),
    ]


def assert_whole(settings: Settings) -> None:
    lake = lake_of(settings)
    assert event_counts(settings) == once_each(*range(60))
    assert [row["impression_id"] for row in rows_of(IMPRESSIONS, lake)] == ["e0000900"]
    assert [(row["item_id"], row["category"]) for row in rows_of(ITEMS, lake)] == [("i1", "coffee")]
    assert [row["user_id"] for row in rows_of(USERS, lake)] == ["u1"]
    assert [row["forgotten_at"].timestamp() for row in rows_of(TOMBSTONES, lake)] == [2]
    assert sorted(row["reason"] for row in rows_of(DEAD_LETTERS, lake)) == ["bad_time", "unreadable_record"]
    assert not (lake / FOLDER).exists()
    assert not list(lake.glob(".scratch-*"))


def test_each_kind_comes_to_its_table(settings: Settings) -> None:
    append(settings, *everything())
    archive(settings)
    assert_whole(settings)
    hours = sorted(str(file.parent.relative_to(EVENTS.path(lake_of(settings)))) for file in _files(settings))
    assert hours == [f"{NOON + n * HOUR:date=%Y-%m-%d/hour=%H}" for n in range(3)]
    before = bytes_of(lake_of(settings))
    archive(settings)
    assert {name for name, data in bytes_of(lake_of(settings)).items() if before.get(name) != data} <= {
        "watermark.json"
    }


KILLS = [(READ, 1), (COMMITTED, 1), (MARKED, 1), (LAID, 1), (FORGOTTEN, 1), (NOTED, 1)]
KILLS += [(STAGED, count) for count in (1, 3, 8)] + [(MOVED, count) for count in (1, 2, 5, 8)]


@pytest.mark.parametrize(("step", "count"), KILLS)
def test_killed_at_any_step_nothing_is_lost_or_doubled(step: str, count: int, settings: Settings) -> None:
    append(settings, *(event(number, at=NOON) for number in range(0, 60, 3)))
    archive(settings)
    append(settings, *everything())
    assert kill_at(settings, step, count) == -9
    append(settings, event(5, at=NOON + 2 * HOUR))
    archive(settings)
    assert_whole(settings)


def test_killed_again_and_again_it_still_comes_to_an_end(settings: Settings) -> None:
    for start in range(0, 3_000, 500):
        append(settings, *(event(number, at=NOON + number % 5 * HOUR) for number in range(start, start + 500)))
        assert kill_at(settings, MOVED, 1 + start // 1_000) == -9
    archive(settings)
    assert event_counts(settings) == once_each(*range(3_000))


def test_what_comes_twice_is_there_once_even_where_the_stream_does_not_know(settings: Settings) -> None:
    stream = MemoryStream()
    twice = [Record(one.kind, one.key, one.payload, 0, 0) for one in map(event, range(10))]
    stream.append([*twice, *twice], 0)
    archiver = Archiver(MemoryConsumer(stream), settings)
    archiver.run_once()
    stream.append(twice, 0)
    archiver.run_once()
    assert event_counts(settings) == once_each(*range(10))


def test_kafka_appends_twice_and_the_lake_has_it_once(tmp_path: Path, kafka_broker: KafkaBroker) -> None:
    url = kafka_broker.make_topic("archived", partitions=2)
    settings = Settings(root=tmp_path, stream_url=url)
    assert append(settings, *map(event, range(30)), *map(event, range(20))) == [True] * 50
    archive(settings)
    append(settings, *map(event, range(25, 40)))
    archive(settings)
    assert event_counts(settings) == once_each(*range(40))


def test_two_archivers_are_one_too_many(settings: Settings) -> None:
    with only_archiver(lake_of(settings)):
        with pytest.raises(BadInput, match=rf"another archiver \(process {os.getpid()}\) works on"):
            archive(settings)
        assert kill_at(settings, NOTED) == 1
    archive(settings)


def test_a_lake_under_import_is_waited_for(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    append(settings, event(1))
    ending = threading.Event()
    worker = threading.Thread(target=_run, args=(settings, ending))
    with open_scratch(lake_of(settings)):
        worker.start()
        _await(lambda: "archiver_waits" in caplog.text)
    _await(lambda: watermark_file(lake_of(settings)).exists())
    ending.set()
    worker.join(SECONDS)
    assert event_counts(settings) == once_each(1)


def test_a_server_that_is_away_is_waited_for(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    away = Settings(root=settings.root, stream_url="redis://127.0.0.1:1/0")
    ending = threading.Event()
    worker = threading.Thread(target=_run, args=(away, ending))
    worker.start()
    _await(lambda: "cannot be reached" in caplog.text)
    ending.set()
    worker.join(SECONDS)
    assert not watermark_file(lake_of(away)).exists()


def test_the_watermark_is_when_the_stream_was_seen_empty(settings: Settings) -> None:
    started = datetime.now(UTC)
    append(settings, event(1))
    archive(settings)
    until = archived_until(lake_of(settings))
    assert until is not None
    assert timedelta(0) <= started - until < timedelta(seconds=IN_FLIGHT_SECONDS + SECONDS)
    assert json.loads(watermark_file(lake_of(settings)).read_text())["offset"]


def test_the_watermark_rests_until_what_was_spooled_is_archived(tmp_path: Path) -> None:
    clock, stream, lake = [1_800_000_000.0], MemoryStream(), tmp_path / "lake"
    consumer, spool = MemoryConsumer(stream), Spool(tmp_path / SPOOL, 10**6)

    def seconds_after(waiting: float) -> float | None:
        """The watermark, counted from the start, when the stream's oldest entry waits for so long."""
        consumer.lag_seconds = lambda: waiting  # type: ignore[method-assign]
        clock[0] += 100
        mark.advance(consumer, "")
        until = archived_until(lake)
        return None if until is None else until.timestamp() + IN_FLIGHT_SECONDS - 1_800_000_000

    mark = Watermark(lake, tmp_path / SPOOL, timedelta(hours=72), lambda: clock[0])
    assert seconds_after(waiting=150) is None  # what was there at the start may have been spooled before it
    assert seconds_after(waiting=0) == 200
    spool.put([event(2)], hot_only=False)
    before = seconds_after(waiting=0)
    for path in spool.own_files():
        note_done(path, path.stat().st_size)
        spool.release(path)
    assert seconds_after(waiting=10) == before  # drained, and now among what waits
    assert seconds_after(waiting=150) == before
    now = clock[0] + 100 - 1_800_000_000
    assert seconds_after(waiting=50) == now - 50
    spool.close()


def test_late_events_mark_their_hours_and_only_new_ones_do(settings: Settings) -> None:
    now = datetime.now(UTC)
    fresh, late, ancient = now - timedelta(minutes=1), NOON, now - timedelta(hours=90)
    append(settings, event(1, at=late))
    archive(settings)
    assert not dirty_hours(lake_of(settings))  # nothing was said to be whole before
    append(settings, event(2, at=fresh), event(3, at=late), event(4, at=ancient))
    archive(settings)
    assert set(dirty_hours(lake_of(settings))) - {f"{fresh:%Y-%m-%dT%H}"} == {f"{late:%Y-%m-%dT%H}"}
    assert event_counts(settings) == once_each(1, 2, 3, 4)


@pytest.mark.parametrize("step", [COMMITTED, MOVED, MARKED, LAID])
def test_a_kill_takes_no_mark_away(step: str, settings: Settings) -> None:
    archive(settings)
    append(settings, event(1))
    assert kill_at(settings, step) == -9
    archive(settings)
    assert set(dirty_hours(lake_of(settings))) == {f"{NOON:%Y-%m-%dT%H}"}


def test_many_flushes_leave_few_files(settings: Settings) -> None:
    stream = MemoryStream()
    archiver = Archiver(MemoryConsumer(stream), settings)
    for number in range(40):
        stream.append([event(100 * number + more) for more in range(20)], 0)
        archiver.run_once()
    assert len(_files(settings)) <= 6
    assert event_counts(settings) == once_each(*(100 * number + more for number in range(40) for more in range(20)))


def test_a_reader_far_behind_catches_up_in_bounded_bites(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(archiver_module, "FLUSH_COUNT", 300)
    append(settings, *map(event, range(1_000)))
    with caplog.at_level("INFO"):
        archive(settings)
    assert [record.args[0] for record in caplog.records if "event=archived" in record.msg] == [300, 300, 300, 100]
    assert event_counts(settings) == once_each(*range(1_000))


def test_an_import_between_a_crash_and_its_repair_is_kept(settings: Settings) -> None:
    from ingest.archive_rows import rows_of as table_rows
    from ingest.lay_events import lay_rows
    from ingest.stream import Entry

    append(settings, event(1))
    archive(settings)
    append(settings, event(2))
    assert kill_at(settings, COMMITTED) == -9
    imported = table_rows([Entry("0-1", event(3), 0.0)])[EVENTS.name]
    with open_scratch(lake_of(settings)) as scratch:
        lay_rows(imported, lake_of(settings), scratch)
    archive(settings)
    assert event_counts(settings) == once_each(1, 2, 3)


def test_a_refused_flush_is_kept_and_repeated(settings: Settings) -> None:
    stream = MemoryStream()
    consumer = MemoryConsumer(stream)
    stream.append([event(1)], 0)
    archiver = Archiver(consumer, settings)
    with open_scratch(lake_of(settings)), pytest.raises(BadInput, match="another import"):
        archiver.run_once()
    archiver.run_once()
    assert event_counts(settings) == once_each(1)


@pytest.mark.system
def test_a_full_disk_stops_the_archiver_and_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stream, small = MemoryStream(), tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    try:
        settings = Settings(root=small, archive_flush_seconds=0.05)
        archiver = Archiver(MemoryConsumer(stream), settings)
        ballast = lake_of(settings) / "ballast"
        stream.append([*map(event, range(100))], 0)
        archiver.run_once()
        ballast.write_bytes(bytes(900_000))
        stream.append([event(number, session_id=os.urandom(200).hex()) for number in range(100, 1_000)], 0)
        ending = threading.Event()
        worker = threading.Thread(target=archiver.run, args=(ending,))
        worker.start()
        _await(lambda: os.strerror(errno.ENOSPC) in caplog.text)
        assert event_counts(settings) == once_each(*range(100))
        ballast.unlink()
        _await(lambda: not stream.oldest_at())
        ending.set()
        worker.join(SECONDS)
        assert event_counts(settings) == once_each(*range(1_000))
    finally:
        subprocess.run(["umount", str(small)], check=True)


def _run(settings: Settings, ending: threading.Event) -> None:
    consumer = open_consumer(settings)
    Archiver(consumer, settings).run(ending)
    consumer.close()


def _files(settings: Settings) -> list[Path]:
    files = sorted(EVENTS.path(lake_of(settings)).rglob("*.parquet"))
    assert all(pq.read_metadata(file).num_rows for file in files)
    return files


def _await(seen: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.02)

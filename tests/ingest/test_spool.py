"""What `put` returned from is on the disk, in order, and reaches the stream once its server is back, whoever dies."""

import errno
import multiprocessing
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import StoreUnavailable
from contracts.records import Record
from ingest.memory_stream import MemoryConsumer, MemoryStream
from ingest.spool import Spool, SpoolFull, has_spooled, spooled_bytes
from ingest.spool_drain import SpoolDrainer
from ingest.spool_segments import pack_frames, read_frames
from tests.ingest.stream_backends import record, records_of

ROOMY_BYTES = 10 * 1024**2
SECONDS = 15.0


class FailingStream(MemoryStream):
    """A stream whose server is away until it is told to come back."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = True

    def append(self, records: Sequence[Record], deadline: float) -> list[bool]:
        if self.is_away:
            raise StoreUnavailable("away")
        return super().append(records, deadline)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool", ROOMY_BYTES)
    yield opened
    opened.close()


def drain(spool: Spool, stream: MemoryStream, heard: Callable[[Sequence[Record], Sequence[bool]], None]) -> None:
    """Drain until nothing is left."""
    drainer = SpoolDrainer(spool, stream, heard)
    drainer.start()
    until = time.monotonic() + SECONDS
    while spooled_bytes(spool.folder) and time.monotonic() < until:
        time.sleep(0.01)
    drainer.stop()


def ignore(records: Sequence[Record], news: Sequence[bool]) -> None:
    pass


def test_what_was_put_is_drained_in_order_once_the_stream_is_back(spool: Spool) -> None:
    stream, heard = FailingStream(), list[tuple[Record, bool]]()
    drainer = SpoolDrainer(spool, stream, lambda records, news: heard.extend(zip(records, news, strict=True)))
    drainer.start()
    spool.put([record(1), record(2)], hot_only=False)
    spool.put([record(3)], hot_only=True)
    spool.put([record(2), record(4)], hot_only=False)
    assert spool.pending
    assert not heard
    stream.is_away = False
    until = time.monotonic() + SECONDS
    while spool.pending and time.monotonic() < until:
        time.sleep(0.01)
    drainer.stop()
    assert heard == [(record(1), True), (record(2), True), (record(3), True), (record(2), False), (record(4), True)]
    assert records_of(MemoryConsumer(stream).read(10, 0)) == [record(1), record(2), record(4)]
    assert not list(spool.folder.glob("*.spool"))


def test_who_applies_them_may_be_away_as_well(spool: Spool) -> None:
    stream, refusals, heard = MemoryStream(), [1, 2], list[Sequence[bool]]()

    def apply(records: Sequence[Record], news: Sequence[bool]) -> None:
        if refusals:
            raise StoreUnavailable(f"away {refusals.pop()}")
        heard.append(list(news))

    spool.put([record(1)], hot_only=False)
    drain(spool, stream, apply)
    assert heard == [[True]]  # appended once, so that what is new is still said to be


def test_a_successor_drains_what_a_killed_process_left_without_its_torn_end(tmp_path: Path) -> None:
    folder, heard = tmp_path / "spool", list[Record]()
    context = multiprocessing.get_context("forkserver")
    acknowledged = context.Value("i", 0)
    victim = context.Process(target=put_until_killed, args=(folder, acknowledged))
    victim.start()
    while acknowledged.value < 40:
        time.sleep(0.005)
    spool = Spool(folder, ROOMY_BYTES)
    spool.put([record(10**6)], hot_only=False)
    victim.kill()
    victim.join()
    (left,) = (path for path in folder.glob("*.spool") if path not in spool.own_files())
    with left.open("ab") as file:
        file.write(pack_frames([record(10**7)], hot_only=False)[:-3])
    drain(spool, MemoryStream(), lambda records, news: heard.extend(records))
    spool.close()
    promised = [record(number) for number in range(acknowledged.value)]
    assert [one for one in heard if one in promised] == promised
    assert record(10**6) in heard
    assert record(10**7) not in heard
    assert [path.suffix for path in folder.iterdir()] == [".damaged"]


def put_until_killed(folder: Path, acknowledged: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    spool = Spool(folder, ROOMY_BYTES)
    while True:
        spool.put([record(acknowledged.value)], hot_only=False)
        acknowledged.value += 1


def test_files_of_a_living_process_are_left_to_it(spool: Spool) -> None:
    spool.put([record(1)], hot_only=False)
    other, heard = Spool(spool.folder, ROOMY_BYTES), list[Record]()
    drainer = SpoolDrainer(other, MemoryStream(), lambda records, news: heard.extend(records))
    drainer.start()
    time.sleep(0.3)
    drainer.stop()
    other.close()
    assert not heard
    assert spool.pending


def test_the_bound_is_of_all_files_together(tmp_path: Path) -> None:
    one, other = Spool(tmp_path, 400), Spool(tmp_path, 400)
    one.put([record(n) for n in range(4)], hot_only=False)
    with pytest.raises(SpoolFull, match="HEADRACE_SPOOL_MAX_BYTES"):
        for number in range(10):
            other.put([record(number)], hot_only=False)
    assert spooled_bytes(tmp_path) <= 400
    for spool in (one, other):
        spool.close()


def test_a_note_of_what_is_drained_spares_a_successor_the_rest(tmp_path: Path) -> None:
    folder, stream, heard = tmp_path / "spool", FailingStream(), list[int]()
    spool = Spool(folder, ROOMY_BYTES)
    spool.put([record(n) for n in range(1_200)], hot_only=False)

    def stop_after_two_batches(records: Sequence[Record], news: Sequence[bool]) -> None:
        heard.append(len(records))
        if len(heard) == 2:
            stream.is_away = True

    stream.is_away = False
    drainer = SpoolDrainer(spool, stream, stop_after_two_batches)
    drainer.start()
    until = time.monotonic() + SECONDS
    while len(heard) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    drainer.stop()
    spool.close()
    successor = Spool(folder, ROOMY_BYTES)
    stream.is_away = False
    drain(successor, stream, lambda records, news: heard.append(len(records)))
    successor.close()
    assert heard == [500, 500, 200]


def test_threads_share_the_spool_and_lose_nothing(spool: Spool) -> None:
    def put_some(thread: int) -> None:
        for number in range(20):
            spool.put([record(thread * 100 + number)], hot_only=False)

    threads = [threading.Thread(target=put_some, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = list[Record]()
    drain(spool, MemoryStream(), lambda records, news: heard.extend(records))
    assert sorted(heard, key=lambda one: one.digest) == [
        record(thread * 100 + number) for thread in range(8) for number in range(20)
    ]


def test_only_what_the_stream_lacks_counts_as_spooled(spool: Spool) -> None:
    assert not has_spooled(spool.folder)
    spool.put([record(1)], hot_only=True)
    assert not has_spooled(spool.folder)
    spool.put([record(2)], hot_only=False)
    assert has_spooled(spool.folder)


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    cut=st.integers(1, 500),
    flipped=st.integers(0, 500),
)
def test_frames_are_read_up_to_the_first_torn_one(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], cut: int, flipped: int
) -> None:
    records = [Record("item", "k" * size, b"\x01" * size) for size in sizes]
    data = bytearray(pack_frames(records, hot_only=False))
    ends = list(_ends(records))
    data = data[: max(0, len(data) - cut)]
    if flipped < len(data):
        data[flipped] ^= 0x40
    path = tmp_path_factory.mktemp("frames") / "x.spool"
    path.write_bytes(bytes(data))
    whole = sum(end <= len(data) and not (flipped < end and flipped < len(data)) for end in ends)
    assert [frame.record for frame in read_frames(path, 0)] == records[:whole]


def _ends(records: list[Record]) -> Iterator[int]:
    end = 0
    for one in records:
        end += len(pack_frames([one], hot_only=False))
        yield end


@pytest.mark.system
def test_a_full_disk_refuses_and_what_was_promised_stays(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=True)
    try:
        spool, put, heard = Spool(folder, ROOMY_BYTES), list[Record](), list[Record]()
        with pytest.raises(SpoolFull, match=os.strerror(errno.ENOSPC)):
            for number in range(100_000):
                spool.put([record(number)], hot_only=False)
                put.append(record(number))
        drain(spool, MemoryStream(), lambda records, news: heard.extend(records))
        assert heard == put
        spool.put([record(10**6)], hot_only=False)
        spool.close()
    finally:
        subprocess.run(["umount", str(folder)], check=True)

"""Frames survive any cut of their stream, restarts slow down, and a target is remembered or honestly unknown."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import CorruptData
from serving.inference.caller_stream import CallerStream
from serving.inference.crew import FIRST_DELAY_SECONDS, JITTER_SHARE, LASTING_SECONDS, LONGEST_DELAY_SECONDS, Pace
from serving.inference.dispatcher import Dispatcher
from serving.inference.frames import FrameReader
from serving.inference.hooks import DELAY, HANG, VARIABLE, hook_from
from serving.inference.messages import MAX_BODY_BYTES, REPLY_HEADER, REQUEST_HEADER, pack_reply, pack_request
from serving.inference.metrics_page import open_metrics_page
from serving.inference.target import Target, recall, remember


@given(st.lists(st.binary(max_size=60), max_size=8), st.lists(st.integers(min_value=1, max_value=40), min_size=1))
def test_frames_are_the_same_however_their_stream_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pack_request(number, 100, body) for number, body in enumerate(bodies))
    frames, found, place = FrameReader(REQUEST_HEADER), [], 0
    while place < len(stream):
        size = cuts[place % len(cuts)]
        found += frames.feed(stream[place : place + size])
        place += size
    assert [(fields[2], body) for fields, body in found] == list(enumerate(bodies))


def test_a_body_that_is_too_long_is_refused_before_it_is_gathered() -> None:
    header = REPLY_HEADER.pack(MAX_BODY_BYTES + 1, 0, 1)
    with pytest.raises(CorruptData, match="is the most"):
        FrameReader(REPLY_HEADER).feed(header)
    longest = pack_reply(1, 0, bytes(MAX_BODY_BYTES))
    assert len(FrameReader(REPLY_HEADER).feed(longest)) == 1


def test_a_worker_that_lasted_is_replaced_at_once_and_others_ever_later() -> None:
    pace = Pace()
    assert pace.delay_after(LASTING_SECONDS) == 0.0
    delays = [pace.delay_after(1.0) for _ in range(12)]
    assert delays[0] >= FIRST_DELAY_SECONDS
    assert delays[3] > delays[0]
    assert all(delay <= LONGEST_DELAY_SECONDS * (1 + JITTER_SHARE) for delay in delays)
    assert delays[-1] >= LONGEST_DELAY_SECONDS * (1 - JITTER_SHARE)
    assert pace.delay_after(LASTING_SECONDS) == 0.0


def test_a_worker_that_never_was_ready_is_not_started_again_at_once() -> None:
    assert Pace().delay_after(0.0) > 0.0


def test_what_answers_is_remembered_and_what_is_damaged_is_unknown(tmp_path: Path) -> None:
    assert recall(tmp_path) is None
    target = Target("2026-01-31T07.3", "2026-01-31T07")
    remember(tmp_path, target)
    assert recall(tmp_path) == target
    [file] = (tmp_path / "run").iterdir()
    for text in ("{", '{"version": "v"}', "[]"):
        file.write_text(text)
        assert recall(tmp_path) is None


def test_no_hook_works_unless_its_variable_is_set() -> None:
    hook_from({})(HANG)  # which would never come back
    with pytest.raises(ValueError, match="soon"):
        hook_from({VARIABLE: "1"})(f"{DELAY}soon")


def test_the_page_of_metrics_tells_readiness_and_survives_strangers() -> None:
    async def ask(port: int, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    async def talk() -> list[bytes]:
        page = await open_metrics_page(Dispatcher(), "127.0.0.1", 0)
        port = page.sockets[0].getsockname()[1]
        requests = (b"\xff" * 20_000, b"GET", b"\r\n\r\n", *(b"GET %b HTTP/1.1\r\n\r\n" % path for path in paths))
        answers = [await ask(port, request) for request in requests]
        page.close()
        return answers[-len(paths) :]

    paths = (b"/readyz", b"/metrics", b"/")
    ready, metrics, other = asyncio.run(talk())
    assert ready.startswith(b"HTTP/1.1 503 ")
    assert b"headrace_inference_queue_depth 0.0" in metrics
    assert other.startswith(b"HTTP/1.1 404 ")


def test_a_caller_that_reads_nothing_is_hung_up_on() -> None:
    async def flood() -> bool:
        loop, streams = asyncio.get_running_loop(), set[CallerStream]()
        server = await loop.create_server(lambda: CallerStream(Dispatcher(), streams), "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        while not streams:
            await asyncio.sleep(0.01)
        [stream] = streams
        for number in range(64):
            stream.reply(number, 0, bytes(MAX_BODY_BYTES))
        writer.close()
        server.close()
        return stream.is_gone

    assert asyncio.run(flood())

"""The client of inference is answered by its deadline or fails with a truthful kind, whoever is at the other end."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.errors import BadInput
from contracts.settings import Settings
from ingest.breaker import CONSECUTIVE_FAILURES, OPEN, Breaker
from serving import tail_client
from serving.inference import messages
from serving.inference.address import Address, inference_address, metrics_bind
from serving.inference.frames import FrameReader
from serving.inference.messages import REPLY_HEADER, REQUEST_HEADER, TailAnswer, TailAsk, pack_reply
from serving.tail_client import TailClient, TailFailure
from tests.ingest.slow_peers import Behaviour, hang_up_after, peer, say_nothing, speak_http

SOON_SECONDS = 3.0  # far above every deadline here, far below what a missing one would take
ANSWER = TailAnswer("v1", ["a"], [1.0], 0, 0, [])
ASK = TailAsk("ada", 5)
Reply = Callable[[int], list[bytes]]


def frames_of(link: socket.socket) -> Iterator[int]:
    """Numbers of the questions that come."""
    frames = FrameReader(REQUEST_HEADER)
    while data := link.recv(65_536):
        for (_, _, number, _), _ in frames.feed(data):
            yield number


def answering(reply: Reply) -> Behaviour:
    """Send these pieces for each question."""

    def behave(link: socket.socket) -> None:
        for number in frames_of(link):
            for piece in reply(number):
                link.sendall(piece)

    return behave


def good(number: int) -> bytes:
    return pack_reply(number, messages.ANSWERED, messages.encode_answer(ANSWER))


def drip(link: socket.socket) -> None:
    """A long answer, a byte each 5 ms: no single receive ever waits long."""
    for number in frames_of(link):
        link.sendall(REPLY_HEADER.pack(100_000, messages.ANSWERED, number))
        while True:
            link.sendall(b"x")
            time.sleep(0.005)


@contextmanager
def client_of(port: int, breaker: Breaker | None = None, seats: int = 8) -> Iterator[TailClient]:
    client = TailClient(Address(host="127.0.0.1", port=port), breaker or Breaker(60.0), seats)
    try:
        yield client
    finally:
        client.close()


def ask(client: TailClient, milliseconds: int = 2_000) -> TailAnswer:
    return client.ask(ASK, time.monotonic() + milliseconds / 1_000)


def kind_of(client: TailClient, milliseconds: int = 50) -> str:
    """Kind of the failure, which comes soon."""
    started = time.monotonic()
    with pytest.raises(TailFailure) as caught:
        ask(client, milliseconds)
    assert time.monotonic() - started < SOON_SECONDS
    return caught.value.kind


def test_an_answer_comes_back_over_one_connection() -> None:
    with peer(answering(lambda number: [good(number)])) as port, client_of(port) as client:
        assert [ask(client) for _ in range(3)] == [ANSWER] * 3


def test_an_answer_in_pieces_is_put_together() -> None:
    def pieces(number: int) -> list[bytes]:
        whole = good(number)
        return [whole[:3], whole[3:14], whole[14:]]

    with peer(answering(pieces)) as port, client_of(port) as client:
        assert [ask(client) for _ in range(3)] == [ANSWER] * 3


@pytest.mark.parametrize("behaviour", [drip, say_nothing])
def test_a_peer_that_drips_or_says_nothing_is_late_at_the_deadline(behaviour: Behaviour) -> None:
    with peer(behaviour) as port, client_of(port) as client:
        assert kind_of(client) == tail_client.LATE


@pytest.mark.parametrize("behaviour", [speak_http, hang_up_after(b"")])
def test_a_peer_that_is_no_inference_service_is_unreachable(behaviour: Behaviour) -> None:
    with peer(behaviour) as port, client_of(port) as client:
        assert kind_of(client, 2_000) == tail_client.UNREACHABLE


def test_a_refused_port_and_a_missing_socket_are_unreachable(tmp_path: Path) -> None:
    with client_of(1) as client:
        assert kind_of(client) == tail_client.UNREACHABLE
    missing = TailClient(Address(unix_path=str(tmp_path / "nothing.sock")), Breaker(60.0), 8)
    assert kind_of(missing) == tail_client.UNREACHABLE
    missing.close()


def test_a_deadline_that_has_passed_is_late() -> None:
    with peer(answering(lambda number: [good(number)])) as port, client_of(port) as client:
        assert kind_of(client, 0) == tail_client.LATE
        assert ask(client) == ANSWER


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (messages.BUSY, tail_client.BUSY),
        (messages.LATE, tail_client.LATE),
        (messages.FAILED, tail_client.FAILED),
        (messages.NOT_READY, tail_client.NOT_READY),
        (99, tail_client.FAILED),
    ],
)
def test_what_the_service_says_is_the_kind_and_its_words_the_message(status: int, kind: str) -> None:
    with peer(answering(lambda number: [pack_reply(number, status, b"the reason")])) as port, client_of(port) as client:
        with pytest.raises(TailFailure, match="the reason") as caught:
            ask(client)
        assert caught.value.kind == kind


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one() -> None:
    """The first question is answered only after the second one came, with something else."""
    stale = pack_reply(1, messages.ANSWERED, messages.encode_answer(TailAnswer("old", [], [], 0, 0, [])))

    def replies(number: int) -> list[bytes]:
        return [] if number == 1 else [stale, good(number)]

    with peer(answering(replies)) as port, client_of(port) as client:
        assert kind_of(client) == tail_client.LATE
        assert ask(client) == ANSWER


def test_a_service_that_was_started_anew_is_reached_again() -> None:
    def one_each(link: socket.socket) -> None:
        number = next(frames_of(link))
        link.sendall(good(number))
        link.shutdown(socket.SHUT_RDWR)

    with peer(one_each) as port, client_of(port) as client:
        assert [ask(client) for _ in range(5)] == [ANSWER] * 5


def test_an_answer_that_is_none_is_unreachable_and_the_next_connection_is_fresh() -> None:
    bodies = [b"\xc1 no msgpack", messages.encode_answer(ANSWER)]

    def replies(number: int) -> list[bytes]:
        return [pack_reply(number, messages.ANSWERED, bodies.pop(0))]

    with peer(answering(replies)) as port, client_of(port) as client:
        assert kind_of(client, 2_000) == tail_client.UNREACHABLE
        assert ask(client) == ANSWER


def test_after_failures_it_fails_at_once_and_a_probe_brings_it_back() -> None:
    now = [100.0]
    breaker = Breaker(10.0, lambda: now[0])
    first_silent = [say_nothing]

    def behave(link: socket.socket) -> None:
        (first_silent.pop() if first_silent else answering(lambda number: [good(number)]))(link)

    with peer(behave) as port, client_of(port, breaker) as client:
        late = [kind_of(client, 30) for _ in range(2)]
        assert late == [tail_client.LATE] * 2
        while breaker.state != OPEN:
            breaker.failed()
        assert kind_of(client) == tail_client.OPEN
        now[0] += 20.0
        assert ask(client) == ANSWER
        assert client.breaker_state != OPEN


def test_questions_that_the_service_refuses_do_not_open_the_breaker() -> None:
    with peer(answering(lambda number: [pack_reply(number, messages.BUSY)])) as port, client_of(port) as client:
        kinds = {kind_of(client, 2_000) for _ in range(4 * CONSECUTIVE_FAILURES)}
    assert kinds == {tail_client.BUSY}


def test_beyond_its_seats_nobody_waits() -> None:
    asked, go_on = threading.Semaphore(0), threading.Event()

    def hold(link: socket.socket) -> None:
        for number in frames_of(link):
            asked.release()
            go_on.wait(timeout=30)
            link.sendall(good(number))

    with peer(hold) as port, client_of(port, seats=2) as client:
        answers: list[TailAnswer] = []
        threads = [threading.Thread(target=lambda: answers.append(ask(client, 30_000))) for _ in range(2)]
        for thread in threads:
            thread.start()
            asked.acquire(timeout=30)
        assert kind_of(client, 30_000) == tail_client.CROWDED
        go_on.set()
        for thread in threads:
            thread.join(timeout=30)
        assert answers == [ANSWER] * 2
        assert ask(client) == ANSWER


def test_the_address_is_a_socket_under_the_root_or_what_the_setting_says(tmp_path: Path) -> None:
    root = Path("/srv/x")
    assert inference_address(Settings(root=root)) == Address(unix_path="/srv/x/run/inference.sock")
    assert inference_address(Settings(inference_url="unix:///a/b")) == Address(unix_path="/a/b")
    assert inference_address(Settings(inference_url="tcp://[::1]:9100")) == Address(host="::1", port=9100)
    for url in ("http://x", "tcp://host", "unix://relative", "unix:///" + "x" * 120):
        with pytest.raises(BadInput, match="HEADRACE_INFERENCE_URL"):
            inference_address(Settings(inference_url=url))


def test_the_page_of_metrics_is_at_an_address_or_nowhere() -> None:
    assert metrics_bind(Settings(inference_metrics="")) is None
    assert metrics_bind(Settings(inference_metrics="127.0.0.1:9109")) == ("127.0.0.1", 9109)
    for text in ("9109", "here", "host:port"):
        with pytest.raises(BadInput, match="HEADRACE_INFERENCE_METRICS"):
            metrics_bind(Settings(inference_metrics=text))

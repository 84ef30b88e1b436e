"""Whatever happens to a worker, the others go on, it is replaced, and every caller knows by its deadline."""

import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import redis

from contracts.redis_layout import DELISTED, DELISTED_MARK
from contracts.settings import Settings, as_environment
from headrace import embedded_redis
from headrace.embedded_redis import EmbeddedRedis
from headrace.ports import free_port
from serving import tail_client
from serving.inference import hooks, messages
from serving.inference.address import inference_address
from serving.inference.frames import FrameReader
from serving.inference.messages import REPLY_HEADER, TailAsk, pack_request
from serving.tail_client import TailFailure
from tests.serving.inference_world import (
    HOUR,
    KNOWN,
    NEXT_HOUR,
    Running,
    point_to,
    run_inference,
    within,
    write_hour,
)

ROOMY_BYTES = 3 * 1024**3
ASK = TailAsk(KNOWN, 5)


@pytest.fixture(scope="module")
def lists() -> Iterator[EmbeddedRedis]:
    """A server of lists for the service of this module."""
    with tempfile.TemporaryDirectory(prefix="hr") as folder, embedded_redis.start(Path(folder)) as server:
        yield server


@pytest.fixture(scope="module")
def shared(lists: EmbeddedRedis) -> Iterator[Running]:
    """One service with two workers for all tests that leave it running."""
    with tempfile.TemporaryDirectory(prefix="hr") as folder:
        settings = settings_of(Path(folder), lists.url, inference_metrics=f"127.0.0.1:{free_port()}")
        write_hour(settings.root, HOUR)
        write_hour(settings.root, NEXT_HOUR, letter="n")
        point_to(lists.url, HOUR, 1)
        with run_inference(settings) as running:
            running.await_workers(2)
            yield running


@pytest.fixture
def service(shared: Running) -> Running:
    """The shared one, with both workers ready."""
    await_metric(shared, 'headrace_inference_workers{state="idle"}', 2)
    return shared


def settings_of(root: Path, url: str, **changes: object) -> Settings:
    base = {"inference_metrics": "", "inference_stuck_ms": 1_500, "inference_worker_bytes": ROOMY_BYTES}
    return Settings(root=root, redis_url=url, candidate_count=60, **{**base, **changes})  # type: ignore[arg-type]


def await_metric(service: Running, line: str, value: float) -> None:
    until = within(60)
    while service.metric(line) != value:
        assert time.monotonic() < until, f"{line} is {service.metric(line)}: {service.log.read_text()}"
        time.sleep(0.05)


def kind_of(service: Running, user_id: str, milliseconds: int) -> str:
    """Kind of the failure of one question."""
    with closing(service.client()) as client, pytest.raises(TailFailure) as caught:
        client.ask(TailAsk(user_id, 5), within(milliseconds / 1_000))
    return caught.value.kind


def ended(service: Running, cause: str) -> float:
    return service.metric(f'headrace_inference_worker_ends_total{{cause="{cause}"}}')


def test_a_person_with_a_profile_gets_what_stands_on_it(service: Running) -> None:
    answer = service.await_answer(ASK)
    assert (len(answer.item_ids), answer.known_items, answer.version) == (5, 12, f"{HOUR}.1")
    assert service.await_answer(TailAsk("nobody", 5)).known_items == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_others_go_on_when_a_worker_is_killed_or_stopped(service: Running, number: signal.Signals) -> None:
    victim, *_ = service.workers()
    victim.send_signal(number)
    failures = []
    with closing(service.client()) as client:
        for seq in range(100):
            try:
                client.ask(TailAsk(KNOWN, 5, seq=seq + 1_000 * number), within(10))
            except TailFailure as failure:
                failures.append(failure.kind)
            time.sleep(0.02)
    assert set(failures) <= {tail_client.FAILED}  # the question that it was at, or was handed as it died
    assert len(failures) <= 1
    _, alive = psutil.wait_procs([victim], timeout=60)
    assert not alive


def test_every_worker_stopped_is_served_again(service: Running) -> None:
    for worker in service.workers():
        worker.send_signal(signal.SIGSTOP)
    assert kind_of(service, "somebody", 100) == tail_client.LATE
    assert service.await_answer(TailAsk("somebody else", 5)).item_ids


def test_a_worker_in_an_endless_loop_is_replaced(service: Running) -> None:
    before = ended(service, "stuck")
    assert kind_of(service, f"{hooks.HANG}:1", 100) == tail_client.LATE
    await_metric(service, 'headrace_inference_worker_ends_total{cause="stuck"}', before + 1)
    assert service.await_answer(TailAsk("after the loop", 5)).item_ids


@pytest.mark.parametrize("fault", [hooks.CRASH, hooks.MEMORY])
def test_a_worker_that_crashes_or_has_no_memory_fails_one_question(service: Running, fault: str) -> None:
    before = ended(service, "ended")
    assert kind_of(service, f"{fault}:1", 10_000) == tail_client.FAILED
    await_metric(service, 'headrace_inference_worker_ends_total{cause="ended"}', before + 1)
    assert service.await_answer(TailAsk(f"after {fault}", 5)).item_ids


def test_a_slow_question_is_late_by_its_own_deadline_and_holds_up_nobody(service: Running) -> None:
    assert kind_of(service, f"{hooks.DELAY}400", 100) == tail_client.LATE
    assert service.await_answer(TailAsk("quick", 5)).item_ids


def test_a_question_that_cannot_be_answered_fails_and_the_worker_stays(service: Running) -> None:
    pids = {worker.pid for worker in service.workers()}
    for ask in (TailAsk(KNOWN, 0), TailAsk(KNOWN, 5, filter="{")):
        with closing(service.client()) as client, pytest.raises(TailFailure) as caught:
            client.ask(ask, within(10))
        assert caught.value.kind == tail_client.FAILED
    assert {worker.pid for worker in service.workers()} >= pids


def test_a_thousand_questions_at_once_are_computed_once(service: Running) -> None:
    computed = 'headrace_inference_questions_total{outcome="computed"}'
    before, body = service.metric(computed), TailAsk("one of a crowd", 5).encode()
    statuses = converse(service, [body] * 1_000)
    assert statuses == [messages.ANSWERED] * 1_000
    assert service.metric(computed) == before + 1


def test_a_full_queue_refuses_at_once(service: Running) -> None:
    room = service.settings.inference_queue + service.settings.inference_workers
    bodies = [TailAsk(f"{hooks.DELAY}1:{number}", 5).encode() for number in range(300)]
    statuses = converse(service, bodies)
    assert set(statuses) <= {messages.ANSWERED, messages.BUSY}
    assert statuses.count(messages.BUSY) >= 1
    assert statuses.count(messages.ANSWERED) >= min(room, 20)


def test_models_are_swapped_under_load_without_a_failed_or_mixed_answer(service: Running, lists: EmbeddedRedis) -> None:
    first, ending = service.await_answer(ASK).version, threading.Event()
    wrong: list[object] = []
    versions: set[str] = set()

    def load(who: int) -> None:
        seq = 0
        with closing(service.client()) as client:
            while not ending.is_set():
                seq += 1
                try:
                    answer = client.ask(TailAsk(KNOWN, 5, seq=10_000 * who + seq % 50), within(30))
                except TailFailure as failure:
                    wrong.append(failure)
                    continue
                letter = "n" if answer.version.startswith(NEXT_HOUR) else "i"
                versions.add(answer.version)
                if any(not item.startswith(letter) for item in answer.item_ids) or answer.known_items != 12:
                    wrong.append(answer)

    threads = [threading.Thread(target=load, args=(who,)) for who in range(1, 4)]
    for thread in threads:
        thread.start()
    second = point_to(lists.url, NEXT_HOUR, 2)
    await_metric(service, f'headrace_inference_model_info{{version="{second}"}}', 1)
    service.await_answer(TailAsk(KNOWN, 5, seq=1))
    third = point_to(lists.url, HOUR, 3)  # and back, as a rollback does
    await_metric(service, f'headrace_inference_model_info{{version="{third}"}}', 1)
    service.await_answer(TailAsk(KNOWN, 5, seq=2))
    ending.set()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    assert versions >= {first, second}


def test_models_that_cannot_be_loaded_leave_those_before_in_place(service: Running, lists: EmbeddedRedis) -> None:
    before = service.await_answer(ASK).version
    point_to(lists.url, "2026-01-31T09", 90)
    until = within(60)
    while "2026-01-31T09" not in service.log.read_text() or "MissingInput" not in service.log.read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert service.await_answer(TailAsk(KNOWN, 5, seq=3)).version == before
    point_to(lists.url, before.rpartition(".")[0], int(before.rpartition(".")[2]))


def test_delisted_items_are_not_shown(service: Running, lists: EmbeddedRedis) -> None:
    shown, *_ = service.await_answer(ASK).item_ids
    with redis.Redis.from_url(lists.url) as client:
        client.sadd(DELISTED, shown)
        client.set(DELISTED_MARK, b"1")
        until = within(30)
        while shown in service.await_answer(ASK).item_ids:
            assert time.monotonic() < until
            time.sleep(0.05)
        client.delete(DELISTED)
        client.set(DELISTED_MARK, b"2")
        while shown not in service.await_answer(ASK).item_ids:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_the_socket_is_its_owners_alone_and_no_second_service_takes_it(service: Running) -> None:
    path = Path(inference_address(service.settings).unix_path)
    assert path.stat().st_mode & 0o777 == 0o600
    second = subprocess.run(
        [sys.executable, "-m", "headrace", "infer"],
        env=as_environment(service.settings) | {"PATH": ""},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert second.returncode == 2
    assert b"is in use" in second.stderr
    assert service.await_answer(TailAsk("still there", 5)).item_ids


def test_a_stranger_who_talks_nonsense_or_drips_is_nobodys_trouble(service: Running) -> None:
    path = inference_address(service.settings).unix_path
    with socket.socket(socket.AF_UNIX) as stranger, socket.socket(socket.AF_UNIX) as dripper:
        stranger.connect(path)
        dripper.connect(path)
        dripper.sendall(pack_request(1, 1_000, ASK.encode())[:20])
        stranger.sendall(b"\xff" * 64)
        stranger.settimeout(30)
        assert stranger.recv(1) == b""
        assert service.await_answer(TailAsk("beside strangers", 5)).item_ids


def test_a_killed_dispatcher_leaves_no_worker_even_in_a_loop(tmp_path: Path, lists: EmbeddedRedis) -> None:
    with tempfile.TemporaryDirectory(prefix="hr") as folder:
        settings = settings_of(Path(folder), lists.url, inference_stuck_ms=60_000)
        write_hour(settings.root, HOUR)
        point_to(lists.url, HOUR, 1)
        with run_inference(settings) as running:
            running.await_workers(2)
            assert kind_of(running, f"{hooks.HANG}:orphan", 100) == tail_client.LATE
            workers = running.workers()
            running.process.kill()
            running.process.wait()
            _, alive = psutil.wait_procs(workers, timeout=30)
            assert not alive
        with run_inference(settings) as again:  # the socket that it left is no hindrance
            assert again.await_answer(ASK).item_ids


def test_sigterm_answers_what_was_asked_and_leaves_nothing(tmp_path: Path, lists: EmbeddedRedis) -> None:
    with tempfile.TemporaryDirectory(prefix="hr") as folder:
        settings = settings_of(Path(folder), lists.url, inference_stuck_ms=60_000)
        write_hour(settings.root, HOUR)
        point_to(lists.url, HOUR, 1)
        with run_inference(settings) as running:
            running.await_workers(2)
            workers, answers = running.workers(), []
            ask = TailAsk(f"{hooks.DELAY}1500", 5)
            with closing(running.client()) as client:
                thread = threading.Thread(target=lambda: answers.append(client.ask(ask, within(20))))
                thread.start()
                time.sleep(0.5)
                running.process.send_signal(signal.SIGTERM)
                thread.join(timeout=60)
            assert len(answers) == 1
            assert running.process.wait(timeout=60) == 0
            _, alive = psutil.wait_procs(workers, timeout=30)
            assert not alive
            assert not Path(inference_address(settings).unix_path).exists()


def test_over_tcp_it_starts_without_redis_on_what_answered_last(own_redis_server: EmbeddedRedis) -> None:
    with tempfile.TemporaryDirectory(prefix="hr") as folder:
        tcp = f"tcp://127.0.0.1:{free_port()}"
        settings = settings_of(Path(folder), own_redis_server.url, inference_workers=1, inference_url=tcp)
        write_hour(settings.root, HOUR)
        version = point_to(own_redis_server.url, HOUR, 1)
        with run_inference(settings) as running:
            running.await_answer(ASK)
            own_redis_server.process.kill()
            own_redis_server.process.wait()
            time.sleep(2)  # of which the watch hears once at least
            assert running.await_answer(TailAsk(KNOWN, 5, seq=1)).version == version
        with run_inference(settings) as again:
            assert again.await_answer(ASK).version == version


def test_models_that_never_load_are_tried_ever_more_rarely_and_load_once_they_can(lists: EmbeddedRedis) -> None:
    with tempfile.TemporaryDirectory(prefix="hr") as folder:
        settings = settings_of(Path(folder), lists.url)
        point_to(lists.url, HOUR, 1)
        with run_inference(settings) as running:
            time.sleep(6)
            assert kind_of(running, KNOWN, 1_000) in (tail_client.NOT_READY, tail_client.UNREACHABLE)
            assert len(running.workers()) <= 2  # one that tries and one in reserve, however many are wanted
            write_hour(settings.root, HOUR)
            assert running.await_answer(ASK).item_ids


def converse(service: Running, bodies: list[bytes]) -> list[int]:
    """Ask all of them at once over one connection; statuses by question."""
    frames, statuses = FrameReader(REPLY_HEADER), {}
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(60)
        link.connect(inference_address(service.settings).unix_path)
        sender = threading.Thread(
            target=link.sendall, args=(b"".join(pack_request(n, 30_000, body) for n, body in enumerate(bodies)),)
        )
        sender.start()
        while len(statuses) < len(bodies):
            for (_, status, number), _ in frames.feed(link.recv(262_144)):
                statuses[number] = status
        sender.join(timeout=60)
    return [statuses[number] for number in range(len(bodies))]

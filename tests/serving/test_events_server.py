"""With real processes: a look-up that follows a 202 sees it, and no kill of anything loses what was acknowledged."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
import segment.analytics as analytics_package

from contracts.event_contract import decode_event
from contracts.records import EVENT, IMPRESSION, Record
from contracts.settings import Settings
from headrace import embedded_redis, stream_server
from headrace.embedded_redis import EmbeddedRedis
from ingest.consumers import open_consumer
from serving.api_keys import EVENTS_WRITE, create_key
from tests.serving.published import ITEMS, Version, publish
from tests.serving.running_server import Server, run_server
from tests.serving.senders import event

WAIT_SECONDS = 30.0


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A stream server to kill."""
    with stream_server.start(tmp_path / "stream") as server:
        yield server


@pytest.fixture
def key(tmp_path: Path) -> str:
    return create_key(tmp_path / "root" / "api_keys.json", "web", [EVENTS_WRITE])[0]


@pytest.fixture
def server(own_redis_server: EmbeddedRedis, stream: EmbeddedRedis, tmp_path: Path) -> Iterator[Server]:
    with redis.Redis.from_url(own_redis_server.url) as client:
        publish(client)
    timing = {"REDIS_TIMEOUT_MS": "1000", "BREAKER_OPEN_MS": "200"}
    with run_server(tmp_path / "root", REDIS_URL=own_redis_server.url, STREAM_URL=stream.url, **timing) as server:
        yield server


def stored(url: str) -> list[Record]:
    """Every record of the stream."""
    consumer = open_consumer(Settings(stream_url=url))
    records: list[Record] = []
    while some := consumer.read(1_000, 0.1):
        records += [entry.record for entry in some]
    consumer.close()
    return records


def ids_in(url: str) -> Counter[str]:
    """How often each event is in the stream."""
    return Counter(decode_event(record.payload).event_id for record in stored(url) if record.kind == EVENT)


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.1)


def test_every_worker_sees_what_was_acknowledged(server: Server, key: str) -> None:
    def buy_and_look(number: int) -> list[str]:
        user = f"known{number}"
        wrong = []
        for item in ITEMS[:4]:
            status, body = server.post("/v1/events", event("purchase", item, user_id=user), key)
            seen = [server.items(user) for _ in range(4)]  # each on a connection of its own
            if status != 202 or not body["visible"] or any(item in items for items in seen):
                wrong.append(item)
        return wrong

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(buy_and_look, range(12))) == [[]] * 12


def test_a_killed_server_loses_nothing_that_it_acknowledged(server: Server, key: str, stream: EmbeddedRedis) -> None:
    acknowledged: list[str] = []

    def send(_: int) -> None:
        for _ in range(200):
            sent = [event(user_id="u") for _ in range(5)]
            try:
                status, _body = server.post("/v1/events", sent, key)
            except OSError:
                return
            if status == 202:
                acknowledged.extend(one["event_id"] for one in sent)

    with ThreadPoolExecutor(4) as pool:
        running = pool.map(send, range(4))
        wait_until(lambda: len(acknowledged) > 100)
        server.kill()
        list(running)
    found = ids_in(stream.url)
    assert set(acknowledged) <= set(found)
    assert set(found.values()) == {1}


def test_a_killed_stream_is_stood_in_for_and_gets_everything_in_order(
    server: Server, key: str, stream: EmbeddedRedis, tmp_path: Path
) -> None:
    first = event(user_id="ada")
    assert server.post("/v1/events", first, key)[1]["visible"]
    stream.process.kill()
    stream.process.wait()
    later = [event("purchase", item, user_id="ada") for item in ("apple", "bread")]
    for one in later:
        status, body = server.post("/v1/events", one, key)
        assert (status, body["accepted"], body["visible"]) == (202, 1, False)
    server.kill()  # what lies on disk outlives the processes too
    with (
        stream_server.start(tmp_path / "stream", stream.port) as again,
        run_server(
            tmp_path / "root",
            REDIS_URL=server.environment["HEADRACE_REDIS_URL"],
            STREAM_URL=again.url,
        ) as other,
    ):
        wait_until(lambda: not any((tmp_path / "root" / "spool").glob("*.spool")))
        assert list(ids_in(again.url)) == [one["event_id"] for one in (first, *later)]
        wait_until(lambda: other.items("ada") == list(ITEMS[2:]))
        status, body = other.post("/v1/events", [first, *later], key)
        assert (status, body["duplicates"], body["visible"]) == (202, 3, True)


def test_a_killed_list_server_is_told_later(
    server: Server, key: str, stream: EmbeddedRedis, own_redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    server.post("/v1/events", event(user_id="ada"), key)
    own_redis_server.process.kill()
    own_redis_server.process.wait()
    bought = event("purchase", "apple", user_id="ada")
    status, body = server.post("/v1/events", bought, key)
    assert (status, body["accepted"], body["visible"]) == (202, 1, False)
    assert bought["event_id"] in ids_in(stream.url)
    with embedded_redis.start(tmp_path / "again", port=own_redis_server.port) as again:
        with redis.Redis.from_url(again.url) as client:
            publish(client, Version(fence=2))
        wait_until(lambda: server.items("ada") == list(ITEMS[1:]))


def test_segments_own_library_changes_the_next_list(server: Server, key: str, stream: EmbeddedRedis) -> None:
    failures: list[Exception] = []
    client = analytics_package.Client(key, host=server.url, gzip=True, on_error=lambda error, _: failures.append(error))
    products = [{"product_id": "apple", "price": 2.0, "quantity": 2}, {"product_id": "bread", "price": 1.5}]
    client.identify("ada", {"plan": "free", "email": "ada@example.org"}, anonymous_id="a1")
    client.track("ada", "Product Viewed", {"product_id": "cheese"})
    client.track("ada", "Order Completed", {"order_id": "o1", "currency": "EUR", "products": products})
    client.track(None, "Product Added", {"product_id": "dill"}, anonymous_id="a2")
    shown = [{"product_id": item} for item in ITEMS]
    client.track("ada", "Product List Viewed", {"recommendation_id": "r1", "products": shown})
    client.page("ada", "shop", "home")
    client.alias("a2", "ada")
    client.shutdown()
    assert failures == []
    assert server.items("ada") == list(ITEMS[2:])
    kinds = Counter((record.kind, type_of(record)) for record in stored(stream.url))
    assert kinds == {
        ("user", ""): 1,
        (EVENT, "identify"): 1,
        (EVENT, "view"): 1,
        (EVENT, "purchase"): 2,
        (EVENT, "add_to_cart"): 1,
        (IMPRESSION, "impression"): 1,
        (EVENT, "page"): 1,
        (EVENT, "alias"): 1,
    }


def type_of(record: Record) -> str:
    return decode_event(record.payload).event_type if record.kind in (EVENT, IMPRESSION) else ""

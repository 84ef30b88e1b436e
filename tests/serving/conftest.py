"""Fixtures of the look-up tests: a published version on a real server, and the application on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask

from contracts.settings import Settings
from headrace.embedded_redis import EmbeddedRedis
from serving.api_keys import ADMIN, EVENTS_WRITE, READ, create_key, keys_file
from serving.app import create_app, services_of
from tests.serving.published import publish
from tests.serving.senders import Keys, Sender

OpenApp = Callable[[Settings], Flask]


@pytest.fixture
def lists(redis_server: EmbeddedRedis) -> Iterator[redis.Redis]:
    """A client of a server on which one version is published."""
    with redis.Redis.from_url(redis_server.url) as client:
        publish(client)
        yield client


@pytest.fixture
def settings(redis_server: EmbeddedRedis, tmp_path: Path) -> Settings:
    """Settings for the published version; a generous deadline, because the machine may be busy."""
    urls = {"redis_url": redis_server.url, "stream_url": redis_server.url}
    return Settings(root=tmp_path, redis_timeout_ms=2_000, key_events_per_second=1_000_000, **urls)


@pytest.fixture
def open_app() -> Iterator[OpenApp]:
    """Open applications that are closed when the test ends."""
    opened: list[Flask] = []

    def open_one(settings: Settings) -> Flask:
        opened.append(create_app(settings))
        return opened[-1]

    yield open_one
    for app in opened:
        services_of(app).close()


@pytest.fixture
def app(lists: redis.Redis, settings: Settings, open_app: OpenApp) -> Flask:
    """The application behind its fast path."""
    return open_app(settings)


@pytest.fixture
def keys(settings: Settings) -> Keys:
    """Keys of the installation, one for each scope."""
    return Keys(*(create_key(keys_file(settings), scope, [scope])[0] for scope in (READ, EVENTS_WRITE, ADMIN)))


@pytest.fixture
def office(app: Flask, keys: Keys) -> Sender:
    """Somebody who may do everything."""
    return Sender(app.test_client(), keys.admin)


@pytest.fixture
def sender(app: Flask, keys: Keys) -> Sender:
    """Somebody who may write events, and asks for lists."""
    return Sender(app.test_client(), keys.write)

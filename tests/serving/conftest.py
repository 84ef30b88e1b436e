"""Fixtures of the look-up tests: a published version on a real server, and the application on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask

from contracts.settings import Settings
from headrace.embedded_redis import EmbeddedRedis
from serving.app import create_app, services_of
from tests.serving.published import publish

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
    return Settings(root=tmp_path, redis_url=redis_server.url, redis_timeout_ms=2_000)


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

"""Everything that the routes share, put together from settings."""

import contextlib
import logging
import time
from dataclasses import dataclass

from contracts.errors import HeadraceError
from contracts.settings import Layout, Settings
from ingest.breaker import Breaker
from ingest.redis_client import RedisClient
from ingest.redis_cluster import ClusterReads
from ingest.redis_endpoint import parse_endpoint
from ingest.redis_guard import GuardedRedis, Store
from serving.http_answers import Cors
from serving.ladder import Ladder
from serving.list_store import ListStore
from serving.metrics import Metrics
from serving.placements import Placements, read_placements
from serving.popular_shelf import OVERALL_NAME, PopularShelf
from serving.stored_answer import age_seconds

logger = logging.getLogger(__name__)

SHELF_FOLDER = "serving"
START_SECONDS = 1.0  # what reading the first list may take, before a process takes requests


@dataclass(frozen=True, slots=True)
class Services:
    """What a process needs to answer; closed once."""

    settings: Settings
    placements: Placements
    cors: Cors
    metrics: Metrics
    redis: GuardedRedis | ClusterReads
    store: ListStore
    shelf: PopularShelf
    ladder: Ladder

    def is_ready(self) -> bool:
        """Whether there is something to show, with Redis or without."""
        if not self.shelf.is_filled:
            with contextlib.suppress(HeadraceError):
                self.shelf.refill(self.store.pin(self.store.new_deadline()))
        return self.shelf.last_known(OVERALL_NAME) is not None

    def refresh_gauges(self) -> None:
        """Set what is measured at the moment of asking."""
        age = float("nan")
        with contextlib.suppress(HeadraceError):
            age = age_seconds(self.store.pin(self.store.new_deadline()).generated_epoch, time.time())
        self.metrics.set_gauges(breaker_open=not self.redis.is_closed, list_age_seconds=age)

    def close(self) -> None:
        """Close every connection."""
        self.redis.close()


def open_services(settings: Settings) -> Services:
    """Put the parts together and read the first list, from Redis or from disk; BadInput for bad settings."""
    metrics = Metrics()
    redis = _open_redis(settings, metrics)
    store = ListStore(redis, settings)
    shelf = PopularShelf(store, Layout(settings.root).cache / SHELF_FOLDER)
    placements, cors = read_placements(settings.placements_file), Cors.of(settings)
    services = Services(settings, placements, cors, metrics, redis, store, shelf, Ladder(store, shelf))
    try:
        shelf.refill(store.pin(time.monotonic() + START_SECONDS))
    except HeadraceError as error:
        logger.warning("started_without_redis list_on_disk=%s: %s", shelf.is_filled, error)
    store.on_pin = shelf.refill_later
    return services


def _open_redis(settings: Settings, metrics: Metrics) -> GuardedRedis | ClusterReads:
    endpoint = parse_endpoint(settings.redis_url)

    def guard(inner: Store) -> GuardedRedis:
        return GuardedRedis(inner, Breaker(settings.breaker_open_ms / 1_000), metrics.redis_failed)

    return ClusterReads(endpoint, guard) if settings.redis_cluster else guard(RedisClient(endpoint))

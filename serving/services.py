"""Everything that the routes share, put together from settings."""

import contextlib
import logging
import time
from dataclasses import dataclass

from contracts.errors import HeadraceError
from contracts.settings import Layout, Settings
from ingest.breaker import Breaker
from ingest.gate import Gate
from ingest.hot_writer import HotWriter
from ingest.intake import Intake
from ingest.producers import open_producer
from ingest.redis_cluster import ClusterReads
from ingest.redis_guard import GuardedRedis
from ingest.redis_store import open_store
from ingest.spool import FOLDER as SPOOL_FOLDER
from ingest.spool import Spool, spooled_bytes
from serving.api_keys import KeyRing, keys_file
from serving.callers import Callers
from serving.http_answers import Cors
from serving.ladder import Ladder
from serving.list_store import ListStore
from serving.metrics import Metrics
from serving.on_demand import Answers, Clock, OnDemand
from serving.placements import Placements, read_placements
from serving.popular_rungs import PopularRungs
from serving.popular_shelf import OVERALL_NAME, PopularShelf
from serving.ranking import Ranking
from serving.rate_limit import RateLimit
from serving.stored_answer import age_seconds
from serving.tail_client import open_tail_client
from serving.trending_shelf import TrendingShelf

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
    ranking: Ranking
    on_demand: OnDemand
    callers: Callers
    gate: Gate
    intake: Intake

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
        breakers = {"breaker_open": not self.redis.is_closed, "tail_breaker_open": not self.on_demand.is_closed}
        self.metrics.set_gauges(**breakers, list_age_seconds=age)
        self.metrics.set_spooled(spooled_bytes(self.settings.root / SPOOL_FOLDER))

    def close(self) -> None:
        """Stop what runs beside requests and close every connection."""
        self.intake.close()
        self.on_demand.close()
        self.redis.close()


def open_services(settings: Settings, answers: Answers | None = None) -> Services:
    """Put the parts together and read the first list, from Redis or from disk; BadInput for bad settings.

    `answers` stands in for the inference service of the settings.
    """
    metrics = Metrics()
    redis = open_store(settings, metrics.redis_failed)
    store = ListStore(redis, settings)
    shelf = PopularShelf(store, Layout(settings.root).cache / SHELF_FOLDER)
    placements, cors = read_placements(settings.placements_file), Cors.of(settings)
    on_demand = OnDemand(answers or open_tail_client(settings), Clock.of(settings), metrics)
    services = Services(
        settings=settings,
        placements=placements,
        cors=cors,
        metrics=metrics,
        redis=redis,
        store=store,
        shelf=shelf,
        ladder=Ladder(store, PopularRungs(shelf), TrendingShelf(redis), on_demand, settings),
        ranking=Ranking(on_demand, settings),
        on_demand=on_demand,
        callers=_open_callers(settings),
        gate=Gate(),
        intake=_open_intake(settings, metrics),
    )
    try:
        shelf.refill(store.pin(time.monotonic() + START_SECONDS))
    except HeadraceError as error:
        logger.warning("started_without_redis list_on_disk=%s: %s", shelf.is_filled, error)
    store.on_pin = shelf.refill_later
    return services


def _open_intake(settings: Settings, metrics: Metrics) -> Intake:
    """The writing side, with connections and breakers of its own: a slow write stops no look-up."""
    hot = HotWriter(open_store(settings, metrics.redis_failed), settings)
    spool = Spool(settings.root / SPOOL_FOLDER, settings.spool_max_bytes)
    return Intake(open_producer(settings), hot, spool, Breaker(settings.breaker_open_ms / 1_000))


def _open_callers(settings: Settings) -> Callers:
    share = max(1.0, settings.key_events_per_second / settings.workers)
    return Callers(KeyRing(keys_file(settings)), RateLimit(share))

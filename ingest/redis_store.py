"""One way to open the server of the lists: a single server or a cluster, each node behind a breaker of its own."""

from collections.abc import Callable

from contracts.settings import Settings
from ingest.breaker import Breaker
from ingest.redis_client import RedisClient
from ingest.redis_cluster import ClusterReads
from ingest.redis_endpoint import parse_endpoint
from ingest.redis_guard import GuardedRedis, Store


def open_store(settings: Settings, on_failure: Callable[[str], None]) -> GuardedRedis | ClusterReads:
    """Calls of HEADRACE_REDIS_URL; `on_failure` hears the kind of each failure. BadInput for a bad URL."""
    endpoint = parse_endpoint(settings.redis_url)

    def guard(inner: Store) -> GuardedRedis:
        return GuardedRedis(inner, Breaker(settings.breaker_open_ms / 1_000), on_failure)

    return ClusterReads(endpoint, guard) if settings.redis_cluster else guard(RedisClient(endpoint))

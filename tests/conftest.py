"""Fixtures that every room's tests may ask for."""

from tests.redis_servers import own_redis_server, redis_server, shared_redis_server, short_folder
from tests.spark_session import spark

__all__ = ["own_redis_server", "redis_server", "shared_redis_server", "short_folder", "spark"]

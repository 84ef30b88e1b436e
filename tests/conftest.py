"""Fixtures that every room's tests may ask for."""

from tests.redis_servers import own_redis_server, redis_server, shared_redis_server, short_folder

__all__ = ["own_redis_server", "redis_server", "shared_redis_server", "short_folder"]

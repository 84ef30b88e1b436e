"""The stream's own embedded server: append-only file, nothing evicted, apart from the lists that can be rebuilt."""

from pathlib import Path

from headrace import embedded_redis
from headrace.embedded_redis import EmbeddedRedis

# With `everysec` a server answers while a write to its log waits for the fsync of the second before, so that a SIGKILL
# loses events that were acknowledged; benchmarks/stream_fsync.py shows it. `always` writes and syncs before it answers.
FSYNC = "always"
# What an external server must be set to as well; docs/streams.md says why.
SERVER_OPTIONS = (
    *("--appendonly", "yes"),
    *("--appendfsync", FSYNC),
    *("--maxmemory-policy", "noeviction"),
    *("--set-max-intset-entries", "4096"),
)


def start(folder: Path, port: int = 0, *, binary: Path | None = None, options: tuple[str, ...] = ()) -> EmbeddedRedis:
    """Start the stream's server with its log in `folder`, or pick up the log that is there; errors as of Redis."""
    return embedded_redis.start(folder, port, binary=binary, options=(*SERVER_OPTIONS, *options))

"""Publish an hour and be killed at a named step: python -m tests.publish_and_die ROOT URL HOUR STEP COUNT."""

import os
import signal
import sys
from pathlib import Path

from spark_jobs.publish import publish
from tests.publish_lake import make_context


def main(root: str, url: str, interval_key: str, step: str, count: str) -> None:
    """Die by SIGKILL when `step` was heard `count` times."""
    heard = []

    def die(name: str) -> None:
        heard.append(name)
        if heard.count(step) == int(count):
            os.kill(os.getpid(), signal.SIGKILL)

    publish(make_context(Path(root), interval_key, redis_url=url), on_step=die)


if __name__ == "__main__":
    main(*sys.argv[1:])

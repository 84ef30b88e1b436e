"""What a job is told, and how it is started alone: the interval, the settings, the Spark session."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import BadInput, HeadraceError
from contracts.intervals import Interval
from contracts.manifest import Manifest
from contracts.settings import Layout, Settings, read_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


@dataclass(frozen=True, slots=True)
class JobContext:
    """One run of one job: it reads named partitions and overwrites its own, nothing else.

    `cold` keeps a fit from starting at the factors of the hour before; backfills are cold. With `scratch`, the
    interval's tables and bundle lie in that folder and not in the lake: so the training looks at the past.
    """

    interval: Interval
    settings: Settings
    spark: "SparkSession | None" = None
    cold: bool = False
    scratch: Path | None = None

    @property
    def layout(self) -> Layout:
        """Folders under the root."""
        return Layout(self.settings.root)

    @property
    def lake(self) -> Path:
        """Folder of the lake: what was imported, and clean events."""
        return self.layout.lake

    @property
    def tables(self) -> Path:
        """Folder of the tables that are partitioned by interval."""
        return self.scratch or self.layout.lake

    @property
    def candidate_bundle(self) -> Path:
        """Folder of this interval's candidate bundle."""
        return (self.scratch or self.layout.candidates) / self.key

    @property
    def key(self) -> str:
        """Name of the partitions that this run owns."""
        return self.interval.key

    @property
    def end_seconds(self) -> int:
        """The interval's end as epoch seconds: the instant that everything is as of."""
        return int(self.interval.end_at.timestamp())

    @property
    def session(self) -> "SparkSession":
        """The Spark session; BadInput when this run was started without one."""
        if self.spark is None:
            raise BadInput("this job needs Spark and was started without; run it through spark_jobs/submit.py")
        return self.spark


Job = Callable[[JobContext], None]


def argument_parser() -> argparse.ArgumentParser:
    """The options that every job takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--interval-start", required=True, help="ISO 8601, inclusive, on a whole hour of UTC")
    parser.add_argument("--interval-end", required=True, help="ISO 8601, exclusive")
    parser.add_argument("--root", type=Path, help="folder of the lake and the bundles; default is HEADRACE_ROOT")
    parser.add_argument("--cold", action="store_true", help="fit factors from nothing, as a backfill does")
    return parser


def build_context(options: argparse.Namespace) -> JobContext:
    """Read interval and settings; the Spark session is added by whoever starts it."""
    settings = read_settings(os.environ)
    if options.root is not None:
        settings = replace(settings, root=options.root)
    interval = Interval.parse(options.interval_start, options.interval_end)
    return JobContext(interval, settings, cold=options.cold)


def run_alone(job: Job, *, spark: bool, argv: Sequence[str] | None = None) -> None:
    """Be the main of a job's module: parse, start Spark where asked, run, leave with 2 on an expected error."""
    options = argument_parser().parse_args(argv)
    run_all([job], options, spark=spark)


def run_all(jobs: Sequence[Job], options: argparse.Namespace, *, spark: bool) -> None:
    """Run jobs one after the other in one process and, with `spark`, in one application."""
    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("py4j").setLevel(logging.WARNING)
    try:
        context = build_context(options)
        with _application(context) if spark else nullcontext(context) as ready:
            for job in jobs:
                job(ready)
    except HeadraceError as error:
        logger.error("%s", error)
        raise SystemExit(2) from None


@contextmanager
def _application(context: JobContext) -> Iterator[JobContext]:
    from spark_jobs.session import spark_application  # jobs without Spark do not pay for its import

    with spark_application(context.settings) as session:
        yield replace(context, spark=session)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Elapsed, to the millisecond."""
        return round(time.monotonic() - self._started, 3)


def log_done(context: JobContext, manifest: Manifest) -> None:
    """Log the one line that a finished job leaves in the task log."""
    figures = " ".join(f"{name}={value}" for name, value in sorted(manifest.figures.items()))
    logger.info(
        "event=job_done job=%s interval=%s rows=%d seconds=%.3f digest=%s %s",
        *(manifest.job, context.key, manifest.rows, manifest.seconds, manifest.digest, figures),
    )

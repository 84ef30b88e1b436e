"""Serve an hour's lists: written whole under a new version, read back, then one pointer flips."""

import functools
import logging
import sys
from collections.abc import Sequence

from contracts.manifest import Manifest
from spark_jobs.context import JobContext, Stopwatch, argument_parser, log_done, run_all
from spark_jobs.fences import claim_fence, note_published
from spark_jobs.late_hours import settle
from spark_jobs.passed_check import publish_folder, require_passed_check
from spark_jobs.publication import OnStep, Publication, is_superseded
from spark_jobs.redis_store import Store, assess, open_store

JOB = "publish"
SERVED, LEFT_ALONE = "served", "left_alone"

logger = logging.getLogger(__name__)


def run(context: JobContext) -> None:
    """Publish the interval's checked lists, unless a newer hour already serves."""
    publish(context)


def publish(context: JobContext, *, republish: bool = False, on_step: OnStep = lambda step: None) -> Manifest:
    """Publish, and return the manifest that was left; with `republish` an old hour may replace a newer one.

    `on_step` hears the name of each step as it ends. GateRefused without a passed check, StoreRefused when the
    server would evict or has no room, StaleWriter when another writer took over; what serves is then untouched.
    """
    watch = Stopwatch()
    inputs = require_passed_check(context.lake, context.key)
    with open_store(context.settings) as store:
        if not republish and is_superseded(store.pointer(), context.key):
            return _note(context, Manifest(JOB, 0, context.key, inputs, watch.seconds, _left_alone(store)))
        assess(store, 0)
        publication = Publication(context, store, claim_fence(context.lake, store, context.key), republish, on_step)
        served = publication.perform(inputs)
    figures = publication.tally.figures | {
        "outcome": SERVED if served else LEFT_ALONE,
        "version": publication.claim.version,
        "fence": publication.claim.fence,
        "generated_at": publication.name.generated_at,
        "seconds": watch.seconds,
    }
    claim = publication.claim
    manifest = Manifest(JOB, publication.tally.users, claim.version, inputs, watch.seconds, figures)
    note_published(context.lake, claim, manifest)
    return _note(context, manifest)


def _left_alone(store: Store) -> dict[str, float | int | str]:
    pointer = store.pointer()
    serving = pointer.version if pointer else ""
    logger.info("event=left_alone serving=%s; an older hour replaces a newer one only with --republish", serving)
    return {"outcome": LEFT_ALONE, "serving": serving}


def _note(context: JobContext, manifest: Manifest) -> Manifest:
    folder = publish_folder(context.lake, context.key)
    folder.mkdir(parents=True, exist_ok=True)
    manifest.write(folder)
    log_done(context, manifest)
    return manifest


def main(argv: Sequence[str] | None = None) -> None:
    """Run from a command line; `--republish` serves this hour even when a newer one does."""
    parser = argument_parser()
    parser.add_argument("--republish", action="store_true", help="serve this hour even when a newer one does")
    options = parser.parse_args(argv)
    job = functools.partial(publish, republish=options.republish)
    run_all([lambda context: job(context) and None, settle], options, spark=False)


if __name__ == "__main__":
    main(sys.argv[1:])

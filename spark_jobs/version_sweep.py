"""Removes versions that can never serve again; their keys are computed from the lake, never searched for."""

import logging
from pathlib import Path

from spark_jobs.fences import Claim, claims, forget
from spark_jobs.redis_store import Store, put_off
from spark_jobs.redis_writer import PackedWriter
from spark_jobs.version_entries import KINDS, keys_of

logger = logging.getLogger(__name__)


def sweep_versions(lake: Path, store: Store, claim: Claim) -> None:
    """Remove every version claimed before `claim` that is neither served nor kept for a rollback.

    Whoever holds an older claim cannot flip any more, be it dead or still writing. What the store does not let
    go of now stays noted for the next publish; keys that the lake no longer knows are left to their time to live.
    """
    with put_off("sweep_versions"):
        pointer = store.readable_pointer()
        kept = {pointer.version, pointer.previous} if pointer else set()
        for old in claims(lake):
            if old.fence < claim.fence and old.version not in kept:
                remove_version(lake, store, old)
                forget(lake, old)


def remove_version(lake: Path, store: Store, claim: Claim) -> None:
    """Remove every key that the claimed version may have."""
    with PackedWriter(store) as writer:
        for kind in KINDS:
            writer.unlink(keys_of(kind, lake, interval_key=claim.interval, version=claim.version))
    logger.info("event=version_removed version=%s", claim.version)

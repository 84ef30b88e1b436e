"""Fill a store that came back empty: the hour that served last is published again, from the lake."""

from contracts.errors import MissingInput
from contracts.intervals import Interval
from contracts.manifest import Manifest
from contracts.settings import Settings
from spark_jobs.context import JobContext
from spark_jobs.publish import SERVED, publish
from spark_jobs.redis_store import open_store
from spark_jobs.versions import list_versions


def refill(settings: Settings) -> Manifest | None:
    """Publish the newest hour that ever served, and return its manifest; None when the store serves already."""
    with open_store(settings) as store:
        if store.pointer() is not None:
            return None
    served = [row.interval for row in list_versions(settings) if row.role == SERVED]
    if not served:
        raise MissingInput("no hour was published yet, so there is nothing to fill Redis with; run an hour")
    return publish(JobContext(Interval.of_key(served[0]), settings))

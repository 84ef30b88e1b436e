"""Build segments: every known user's bands of activity, recency and value, and the cluster of their taste."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.features import USER_STATS_TABLE
from contracts.lake import (
    ACTIVITY_BAND,
    RECENCY_BAND,
    REGION,
    SEGMENT,
    SEGMENTS,
    TASTE_CLUSTER,
    TOMBSTONES,
    USER_ID,
    USERS,
    VALUE_BAND,
)
from models.bundle import read_manifest
from models.candidate_bundle import MADE_BY, CandidateBundle
from models.clusters import taste_clusters
from models.tables import arrow_schema, read_partition
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.held_files import hold
from spark_jobs.outputs import JobNote, input_digests, save_arrow
from spark_jobs.tombstones import forgotten_users
from spark_jobs.weights import read_weights

JOB = "build_segments"
SEED = 7
NO_CLUSTER = -1
NEW = "new"  # band and segment of users of whom no event is known
ACTIVITY_NAMES = ("rare", "regular", "frequent")
RECENCY_NAMES = ("lapsed", "fading", "recent")
VALUE_NAMES = ("low", "middle", "high")
_BANDS = (
    (ACTIVITY_BAND, "user_event_count", ACTIVITY_NAMES),
    (RECENCY_BAND, "user_last_at", RECENCY_NAMES),
    (VALUE_BAND, "user_value_30d", VALUE_NAMES),
)


def run(context: JobContext) -> None:
    """Write the interval's partition of segments."""
    watch = Stopwatch()
    stats = read_partition(USER_STATS_TABLE, context.tables, context.key).sort_by(USER_ID)
    columns: dict[str, list[object]] = {USER_ID: stats[USER_ID].to_pylist()}
    for column, statistic, names in _BANDS:
        columns[column] = list(bands(stats[statistic].to_numpy(), names))
    clusters = _clusters(context)
    columns[TASTE_CLUSTER] = [clusters.get(user, NO_CLUSTER) for user in columns[USER_ID]]
    columns[SEGMENT] = [
        f"{band}-{cluster}" if cluster != NO_CLUSTER else band
        for band, cluster in zip(columns[ACTIVITY_BAND], columns[TASTE_CLUSTER], strict=True)
    ]
    table = _with_regions(columns, regions_of(context.lake))
    inputs = input_digests(context, USER_STATS_TABLE, USERS, TOMBSTONES)
    inputs["candidate_bundle"] = read_manifest(context.candidate_bundle, made_by=MADE_BY)["digest"]
    figures = {"segments": len(set(table[SEGMENT].to_pylist()))}
    save_arrow(context, table, table=SEGMENTS, note=JobNote(JOB, watch, inputs, figures))


def bands(values: NDArray[np.float64], names: tuple[str, ...]) -> NDArray[np.object_]:
    """Name the band of each value: as many quantiles as names, equal values always in one band, lowest first."""
    known = np.nan_to_num(values)
    inner = np.arange(1, len(names)) / len(names)
    bounds = np.quantile(known, inner, method="lower") if len(known) else np.zeros(len(inner))
    return np.array(names, object)[np.searchsorted(bounds, known, side="left")]


def regions_of(lake: Path) -> dict[str, str | None]:
    """Region of every user that the CRM knows and that did not ask to be forgotten."""
    found: dict[str, str | None] = {}
    for file in hold(lake, USERS.path(lake)):
        rows = pq.read_table(file, columns=[USER_ID, REGION])
        found.update(zip(rows[USER_ID].to_pylist(), rows[REGION].to_pylist(), strict=True))
    forgotten = forgotten_users(lake)
    return {user: region for user, region in found.items() if user not in forgotten}


def _clusters(context: JobContext) -> dict[str, int]:
    bundle = CandidateBundle.load(context.candidate_bundle)
    users, weights = read_weights(context, bundle.items)
    labels, _ = taste_clusters(bundle.fold_in.solve(weights), context.settings.taste_clusters, SEED)
    return dict(zip(users.external_ids, labels.tolist(), strict=True))


def _with_regions(columns: dict[str, list[object]], regions: dict[str, str | None]) -> pa.Table:
    strangers = sorted(set(regions).difference(columns[USER_ID]))
    new = {USER_ID: strangers, TASTE_CLUSTER: [NO_CLUSTER] * len(strangers)}
    for column in (ACTIVITY_BAND, RECENCY_BAND, VALUE_BAND, SEGMENT):
        new[column] = [NEW] * len(strangers)
    joined = {name: [*values, *new[name]] for name, values in columns.items()}
    joined[REGION] = [regions.get(user) for user in joined[USER_ID]]
    return pa.table(joined, schema=arrow_schema(SEGMENTS)).sort_by(USER_ID)


if __name__ == "__main__":
    run_alone(run, spark=False)

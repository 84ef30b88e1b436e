"""Train candidates: co-occurrence in Spark, item factors by either engine, both in one candidate bundle."""

import logging

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from contracts.errors import CorruptData, MissingInput
from contracts.features import ITEM_STATS, ITEM_STATS_TABLE, USER_STATS_TABLE
from contracts.intervals import Interval
from contracts.lake import INTERACTIONS, ITEM_ID, ITEMS, NEIGHBOUR_ID, NEIGHBOURS, SCORE
from models import als
from models.bundle import read_manifest
from models.candidate_bundle import MADE_BY, CandidateBundle
from models.id_map import IdMap
from models.neighbours import pad_neighbours
from models.tables import manifest_of, read_partition
from spark_jobs import cooccurrence
from spark_jobs.als_engines import ItemFactors, choose_engine, item_rows, parameters_of
from spark_jobs.catalogue import categories_of, statistics_of, unavailable_items
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.outputs import JobNote, input_digests
from spark_jobs.partitions import read_interval, save_frame

logger = logging.getLogger(__name__)
JOB = "train_candidates"
POPULARITY = ("item_count_7d", "item_count_30d", "item_count_window")  # recent popularity first, the rest breaks ties
WARM_INPUT = "warm_factors"


def run(context: JobContext) -> None:
    """Write the interval's neighbours and its candidate bundle."""
    stats = read_partition(ITEM_STATS_TABLE, context.tables, context.key)
    items = IdMap.of(set(stats[ITEM_ID].to_pylist()) - unavailable_items(context.lake))
    if not len(items):
        raise MissingInput(
            f"no item has events in the {context.settings.window_days} days before {context.interval.end_at}; "
            "import events of that time with: python -m headrace import FILE"
        )
    _save_neighbours(context, items)
    _save_bundle(context, items, stats)


def warm_factors(context: JobContext, items: IdMap) -> tuple[ItemFactors | None, str]:
    """The hour before's factors carried over to these rows, with its bundle's digest; nothing when cold."""
    previous = context.layout.candidates / Interval.ending_at(context.interval.start_at).key
    if context.cold or not previous.exists():
        return None, "none"
    try:
        bundle = CandidateBundle.load(previous)
    except CorruptData as error:  # such as one of an older layout, after an upgrade: a cold fit is always possible
        logger.warning("event=warm_start_refused interval=%s error=%s", context.key, error)
        return None, "none"
    parameters = parameters_of(context)
    if bundle.item_factors.shape[1] != parameters.factors:
        return None, "none"
    carried = als.align(bundle.item_factors, bundle.items.rows(items.external_ids), parameters)
    return carried, str(read_manifest(previous, made_by=MADE_BY)["digest"])


def popular_rows(item_stats: NDArray[np.float64]) -> NDArray[np.int32]:
    """All rows by recent popularity, best first, ties by row."""
    keys = [-item_stats[:, ITEM_STATS.index(name)] for name in reversed(POPULARITY)]
    return np.lexsort(keys).astype(np.int32)


def _save_neighbours(context: JobContext, items: IdMap) -> None:
    watch = Stopwatch()
    users = manifest_of(USER_STATS_TABLE, context.tables, context.key).rows
    items_per_user = cooccurrence.items_a_user(users)
    pairs = read_interval(context, INTERACTIONS)
    frame = cooccurrence.neighbours(pairs, item_rows(context, items, cooccurrence.ROW), items_per_user=items_per_user)
    inputs = input_digests(context, INTERACTIONS, ITEM_STATS_TABLE, ITEMS)
    note = JobNote(JOB, watch, inputs, {"items_per_user": items_per_user})
    save_frame(context, frame, table=NEIGHBOURS, note=note)
    context.session.catalog.clearCache()


def _save_bundle(context: JobContext, items: IdMap, stats: pa.Table) -> None:
    watch = Stopwatch()
    pairs = manifest_of(INTERACTIONS, context.tables, context.key).rows
    users = manifest_of(USER_STATS_TABLE, context.tables, context.key).rows
    engine = choose_engine(context, users=users, items=len(items), interactions=pairs)
    warm, warm_digest = warm_factors(context, items)
    near = read_partition(NEIGHBOURS, context.tables, context.key, columns=[ITEM_ID, NEIGHBOUR_ID, SCORE])
    neighbour_rows, neighbour_scores = pad_neighbours(
        items, near[ITEM_ID].to_pylist(), near[NEIGHBOUR_ID].to_pylist(), near[SCORE].to_numpy()
    )
    codes, categories = categories_of(items, stats)
    item_stats = statistics_of(items, stats)
    bundle = CandidateBundle(
        items=items,
        item_factors=engine.fit(context, items, warm),
        neighbour_rows=neighbour_rows,
        neighbour_scores=neighbour_scores,
        item_stats=item_stats,
        category_codes=codes,
        popular_rows=popular_rows(item_stats),
        categories=categories,
        interval_key=context.key,
        engine=engine.name,
        regularization=context.settings.als_regularization,
    )
    inputs = input_digests(context, INTERACTIONS, ITEM_STATS_TABLE, NEIGHBOURS, ITEMS) | {WARM_INPUT: warm_digest}
    digest = bundle.save(context.candidate_bundle, {"job": JOB, "inputs": inputs})
    logger.info(
        "event=job_done job=%s interval=%s rows=%d seconds=%.3f digest=%s engine=%s warm=%s",
        *(JOB, context.key, len(items), watch.seconds, digest, engine.name, warm_digest),
    )


if __name__ == "__main__":
    run_alone(run, spark=True)

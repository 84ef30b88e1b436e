"""Train candidates: co-occurrence in Spark, item factors by either engine, both in one candidate bundle.

Items with events come first: neighbours, factors and popularity are theirs alone. Items that the catalogue has beside
them join the bundle with nothing but their attributes, so that they can be found.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from contracts.errors import CorruptData, MissingInput
from contracts.features import ITEM_STATS, ITEM_STATS_TABLE, USER_STATS_TABLE
from contracts.intervals import Interval
from contracts.lake import CATEGORY, INTERACTIONS, ITEM_ID, ITEMS, NEIGHBOUR_ID, NEIGHBOURS, SCORE
from models import als
from models.bundle import read_manifest
from models.candidate_bundle import DESCRIBED_BY, MADE_BY, CandidateBundle
from models.candidate_retrieval import PROBED_USERS, with_measured_index
from models.id_map import UNKNOWN_ROW, IdMap
from models.item_vectors import best_description
from models.neighbours import pad_neighbours
from models.tables import manifest_of, read_partition
from spark_jobs import cooccurrence
from spark_jobs.als_engines import ItemFactors, choose_engine, item_rows, parameters_of
from spark_jobs.catalogue import Catalogue, read_catalogue
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.item_columns import attributes_of, categories_of, prices_of, statistics_of
from spark_jobs.outputs import JobNote, input_digests
from spark_jobs.partitions import read_interval, save_frame
from spark_jobs.weights import read_weights, some_users

logger = logging.getLogger(__name__)
JOB = "train_candidates"
POPULARITY = ("item_count_7d", "item_count_30d", "item_count_window")  # recent popularity first, the rest breaks ties
WARM_INPUT = "warm_factors"


@dataclass(frozen=True, slots=True)
class Offer:
    """What may be recommended: items with events, those and the new ones, and the catalogue that says so."""

    touched: IdMap
    items: IdMap
    catalogue: Catalogue
    stats: pa.Table


def run(context: JobContext) -> None:
    """Write the interval's neighbours and its candidate bundle."""
    offer = read_offer(context)
    _save_neighbours(context, offer)
    _save_bundle(context, offer)


def read_offer(context: JobContext) -> Offer:
    """Items with events in the window that may be shown, and new ones up to the setting; MissingInput without any."""
    stats = read_partition(ITEM_STATS_TABLE, context.tables, context.key)
    catalogue = read_catalogue(context.lake)
    seen = frozenset(stats[ITEM_ID].to_pylist())
    touched = seen - catalogue.unavailable()
    if not touched:
        raise MissingInput(
            f"no item has events in the {context.settings.window_days} days before {context.interval.end_at}; "
            "import events of that time with: python -m headrace import FILE"
        )
    new = catalogue.untouched(seen, context.settings.new_items)
    return Offer(IdMap.of(touched), IdMap.of([*touched, *new]), catalogue, stats)


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
    rows = bundle.items.rows(items.external_ids)
    rows[~bundle.touched[rows]] = UNKNOWN_ROW  # what was new then has nothing to carry over
    carried = als.align(bundle.item_factors, rows, parameters)
    return carried, str(read_manifest(previous, made_by=MADE_BY)["digest"])


def popular_rows(item_stats: NDArray[np.float64]) -> NDArray[np.int32]:
    """Rows with events by recent popularity, best first, ties by row."""
    known = np.flatnonzero(item_stats[:, ITEM_STATS.index(POPULARITY[-1])] > 0)
    keys = [-item_stats[known, ITEM_STATS.index(name)] for name in reversed(POPULARITY)]
    return known[np.lexsort(keys)].astype(np.int32)


def _save_neighbours(context: JobContext, offer: Offer) -> None:
    watch = Stopwatch()
    users = manifest_of(USER_STATS_TABLE, context.tables, context.key).rows
    items_per_user = cooccurrence.items_a_user(users)
    rows = item_rows(context, offer.touched, cooccurrence.ROW)
    frame = cooccurrence.neighbours(read_interval(context, INTERACTIONS), rows, items_per_user=items_per_user)
    inputs = input_digests(context, INTERACTIONS, ITEM_STATS_TABLE) | {ITEMS.name: offer.catalogue.digest}
    note = JobNote(JOB, watch, inputs, {"items_per_user": items_per_user})
    save_frame(context, frame, table=NEIGHBOURS, note=note)
    context.session.catalog.clearCache()


def _save_bundle(context: JobContext, offer: Offer) -> None:
    watch = Stopwatch()
    pairs = manifest_of(INTERACTIONS, context.tables, context.key).rows
    users = manifest_of(USER_STATS_TABLE, context.tables, context.key).rows
    engine = choose_engine(context, users=users, items=len(offer.touched), interactions=pairs)
    warm, warm_digest = warm_factors(context, offer.touched)
    factors = np.zeros((len(offer.items), context.settings.als_factors), np.float32)
    factors[offer.items.rows(offer.touched.external_ids)] = engine.fit(context, offer.touched, warm)
    plain, unfiltered = _bundle_of(context, offer, factors, engine.name)
    probes = read_weights(context, offer.items, some_users(context, PROBED_USERS))[1]
    bundle, retrieval = with_measured_index(plain, probes)
    inputs = input_digests(context, INTERACTIONS, ITEM_STATS_TABLE, NEIGHBOURS)
    inputs |= {ITEMS.name: offer.catalogue.digest, WARM_INPUT: warm_digest}
    new = len(offer.items) - len(offer.touched)
    counts = {"with_events": len(offer.touched), "new": new, "foretold": int(bundle.foretold.sum())}
    notes = {"retrieval": retrieval.as_figures(), "items_of": counts, "not_for_filters": unfiltered}
    notes[DESCRIBED_BY] = bundle.described_by
    digest = bundle.save(context.candidate_bundle, {"job": JOB, "inputs": inputs, **notes})
    logger.info(
        "event=job_done job=%s interval=%s rows=%d new=%d seconds=%.3f digest=%s engine=%s warm=%s index=%s",
        *(JOB, context.key, len(offer.items), new, watch.seconds, digest, engine.name, warm_digest, retrieval.kind),
    )


def _bundle_of(
    context: JobContext, offer: Offer, factors: ItemFactors, engine_name: str
) -> tuple[CandidateBundle, tuple[str, ...]]:
    """The bundle around item factors, and the attributes that no filter can ask for."""
    items, catalogue = offer.items, offer.catalogue
    near = read_partition(NEIGHBOURS, context.tables, context.key, columns=[ITEM_ID, NEIGHBOUR_ID, SCORE])
    neighbour_rows, neighbour_scores = pad_neighbours(
        items, near[ITEM_ID].to_pylist(), near[NEIGHBOUR_ID].to_pylist(), near[SCORE].to_numpy()
    )
    codes, categories = categories_of(items, offer.stats, catalogue)
    listed = prices_of(items, catalogue)
    item_stats = statistics_of(items, offer.stats, listed)
    paid = item_stats[:, ITEM_STATS.index("item_price")]
    attributes, unfiltered = attributes_of(items, catalogue, np.where(np.isnan(listed), paid, listed))
    columns = {name: column.codes for name, column in attributes.own_columns.items()} | {CATEGORY: codes}
    bundle = CandidateBundle(
        items=items,
        item_factors=factors,
        neighbour_rows=neighbour_rows,
        neighbour_scores=neighbour_scores,
        item_stats=item_stats,
        category_codes=codes,
        popular_rows=popular_rows(item_stats),
        categories=categories,
        interval_key=context.key,
        engine=engine_name,
        regularization=context.settings.als_regularization,
        attributes=attributes,
        described_by=best_description(factors, columns, CATEGORY),
    )
    return bundle, unfiltered


if __name__ == "__main__":
    run_alone(run, spark=True)

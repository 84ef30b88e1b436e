"""Train the ranker on the interval's training set, pass it through the gate, and save it as a bundle."""

import logging
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from contracts.errors import CorruptData, MissingInput
from contracts.features import FEATURE_ORDER
from contracts.intervals import Interval, format_instant
from contracts.lake import FEATURES, ITEM_ID, LABEL, TRAINING_SET, USER_ID
from models import ranker
from models.gate import GateSet, pass_gate
from models.ranker import RankerBundle, RankerParameters
from models.scorers import BoosterScorer
from models.tables import manifest_of, read_partition
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.rankers import ranker_before, ranker_folder
from spark_jobs.training_windows import label_starts

logger = logging.getLogger(__name__)
JOB = "train_ranker"


def run(context: JobContext) -> None:
    """Write the ranker bundle whose labels end with the interval; GateRefused keeps the one before in place."""
    watch = Stopwatch()
    training, gate = label_starts(context)
    examples = read_examples(context, training)
    settings = context.settings
    parameters = RankerParameters(trees=settings.ranker_trees, leaves=settings.ranker_leaves)
    booster = ranker.train_ranker(examples.features, examples.labels, examples.group_sizes, parameters)
    text = booster.model_to_string()
    before = ranker_before(context)
    previous = _previous_scorer(before)
    figures = pass_gate(
        read_examples(context, gate), BoosterScorer(text).score, previous.score if previous else None
    ).as_figures()
    figures |= {
        "training_rows": len(examples.labels),
        "training_users": len(examples.group_sizes),
        "training_digest": manifest_of(TRAINING_SET, context.lake, training.key).digest,
        "gate_digest": manifest_of(TRAINING_SET, context.lake, gate.key).digest,
        "previous": before.name if before and previous else "none",
    }
    digest = RankerBundle(text, format_instant(context.interval.end_at), figures).save(ranker_folder(context))
    logger.info(
        "event=job_done job=%s interval=%s rows=%d seconds=%.3f digest=%s %s",
        *(JOB, context.key, len(examples.labels), watch.seconds, digest),
        " ".join(f"{name}={value}" for name, value in figures.items()),
    )


def _previous_scorer(before: Path | None) -> BoosterScorer | None:
    try:
        return BoosterScorer(RankerBundle.load(before).model_text) if before else None
    except CorruptData as error:  # such as one of other features, after an upgrade: it could not serve either
        logger.warning("event=previous_ranker_unusable ranker=%s error=%s", before, error)
        return None


def read_examples(context: JobContext, then: Interval) -> GateSet:
    """One partition of training_set as arrays, users in the order of ids; MissingInput when it holds nobody."""
    rows = read_partition(TRAINING_SET, context.lake, then.key)
    if rows.num_rows == 0:
        raise MissingInput(
            f"no user of the training set as of {then.end_at} had a candidate that came true within "
            f"{context.settings.label_window_hours} hours; import more events or widen HEADRACE_LABEL_WINDOW_HOURS"
        )
    order = pc.sort_indices(rows, [(USER_ID, "ascending"), (ITEM_ID, "ascending")]).to_numpy()
    users = rows[USER_ID].combine_chunks().dictionary_encode().indices.to_numpy()[order]
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    flat = rows[FEATURES].combine_chunks().values.to_numpy().reshape(-1, len(FEATURE_ORDER))
    labels = rows[LABEL].to_numpy()[order].astype(np.int32)
    return GateSet(flat[order], labels, np.diff(starts, append=len(users)).astype(np.int32))


if __name__ == "__main__":
    run_alone(run, spark=False)

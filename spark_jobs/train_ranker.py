"""Train the ranker on the interval's training set, pass it through the gate, and save it as a bundle."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import CorruptData, MissingInput
from contracts.features import FEATURE_ORDER
from contracts.intervals import Interval, format_instant
from contracts.lake import FEATURES, ITEM_ID, LABEL, SEEN_COUNT, TRAINING_SET, USER_ID
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


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """One partition of training_set: people as the hour knew them, and moments in sessions."""

    of_hour: GateSet
    of_sessions: GateSet


def run(context: JobContext) -> None:
    """Write the ranker bundle whose labels end with the interval; GateRefused keeps the one before in place."""
    watch = Stopwatch()
    training, gate = label_starts(context)
    rows, judged = read_examples(context, training), read_examples(context, gate)
    before = ranker_before(context)
    previous = _previous(before)
    text, figures = _train(
        context, _or(rows.of_hour, rows.of_sessions), _or(judged.of_hour, judged.of_sessions), previous
    )
    session_text, of_sessions = "", {}
    if all(len(one.labels) for one in (rows.of_hour, rows.of_sessions, judged.of_sessions)):
        former = previous.of_session() or previous if previous else None
        session_text, of_sessions = _train(context, rows.of_sessions, judged.of_sessions, former)
    figures |= {f"session_{name}": value for name, value in of_sessions.items()}
    figures |= {
        "training_digest": manifest_of(TRAINING_SET, context.lake, training.key).digest,
        "gate_digest": manifest_of(TRAINING_SET, context.lake, gate.key).digest,
        "previous": before.name if before and previous else "none",
    }
    bundle = RankerBundle(text, format_instant(context.interval.end_at), figures, session_text=session_text)
    digest = bundle.save(ranker_folder(context))
    logger.info(
        "event=job_done job=%s interval=%s rows=%d seconds=%.3f digest=%s %s",
        *(JOB, context.key, len(rows.of_hour.labels) + len(rows.of_sessions.labels), watch.seconds, digest),
        " ".join(f"{name}={value}" for name, value in figures.items()),
    )


def _train(
    context: JobContext, rows: GateSet, judged: GateSet, previous: RankerBundle | None
) -> tuple[str, dict[str, float | int | str]]:
    """Trees that passed the gate, and its figures."""
    settings = context.settings
    parameters = RankerParameters(trees=settings.ranker_trees, leaves=settings.ranker_leaves)
    text = ranker.train_ranker(rows.features, rows.labels, rows.group_sizes, parameters).model_to_string()
    old = BoosterScorer(previous.model_text).score if previous else None
    figures = pass_gate(judged, BoosterScorer(text).score, old).as_figures()
    return text, figures | {"training_rows": len(rows.labels), "training_users": len(rows.group_sizes)}


def _or(rows: GateSet, others: GateSet) -> GateSet:
    """The first unless it is empty: where nobody has a history, all that is known is sessions."""
    return rows if len(rows.labels) else others


def _previous(before: Path | None) -> RankerBundle | None:
    try:
        return RankerBundle.load(before) if before else None
    except CorruptData as error:  # such as one of other features, after an upgrade: it could not serve either
        logger.warning("event=previous_ranker_unusable ranker=%s error=%s", before, error)
        return None


def read_examples(context: JobContext, then: Interval) -> TrainingRows:
    """One partition of training_set as arrays, users in the order of ids; MissingInput when it holds nobody."""
    rows = read_partition(TRAINING_SET, context.lake, then.key)
    if rows.num_rows == 0:
        raise MissingInput(
            f"no user of the training set as of {then.end_at} had a candidate that came true within "
            f"{context.settings.label_window_hours} hours; import more events or widen HEADRACE_LABEL_WINDOW_HOURS"
        )
    of_hour = pc.equal(rows[SEEN_COUNT], 0)
    return TrainingRows(_grouped(rows.filter(of_hour)), _grouped(rows.filter(pc.invert(of_hour))))


def _grouped(rows: pa.Table) -> GateSet:
    keys = [(name, "ascending") for name in (USER_ID, SEEN_COUNT, ITEM_ID)]
    order = pc.sort_indices(rows, keys).to_numpy()
    users = rows[USER_ID].combine_chunks().dictionary_encode().indices.to_numpy()[order]
    seen = rows[SEEN_COUNT].to_numpy()[order]
    fresh = (np.diff(users, prepend=-1) != 0) | (np.diff(seen, prepend=-1) != 0)
    starts = np.flatnonzero(fresh)
    flat = rows[FEATURES].combine_chunks().flatten().to_numpy().reshape(-1, len(FEATURE_ORDER))
    labels = rows[LABEL].to_numpy()[order].astype(np.int32)
    return GateSet(flat[order], labels, np.diff(starts, append=len(users)).astype(np.int32))


if __name__ == "__main__":
    run_alone(run, spark=False)

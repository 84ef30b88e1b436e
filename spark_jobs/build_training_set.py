"""Build the training and gate sets: candidates and features as of one instant, labels from the window after it.

With T the interval's end and w the label window: features as of T - 2w with labels of [T - 2w, T - w) train,
features as of T - w with labels of [T - w, T) gate. What an hour would have known then is computed again, in a
scratch folder, by the same jobs. Beside the people as that hour knew them stand moments in the middle of the sessions
that they began in the window, strangers among them (spark_jobs.session_rows).
"""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.event_weights import parse_event_weights
from contracts.features import USER_STATS_TABLE
from contracts.intervals import Interval
from contracts.lake import (
    EVENT_TYPE,
    FEATURES,
    INTERACTIONS,
    ITEM_ID,
    ITEM_IDS,
    LABEL,
    SEEN_COUNT,
    TRAINING_SET,
    USER_ID,
)
from contracts.settings import Settings
from models.two_stage import candidate_features
from spark_jobs import build_features, build_interactions, train_candidates
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.outputs import JobNote, input_digests
from spark_jobs.partitions import read_interval, save_frame
from spark_jobs.profiles import PARTITIONS_A_CORE, in_batches, profiles, requests_of
from spark_jobs.session_rows import MomentExamples, happened_to, kept_rows, labels_of_rows, stages_of
from spark_jobs.train_session import fit_as_of
from spark_jobs.training_windows import label_starts
from spark_jobs.window import HOUR_SECONDS, read_span, window_digest

JOB = "build_training_set"
TRAINING_ROWS = 2_000_000  # what a ranker trains on in a few minutes and a gigabyte
GATE_USERS = 4_000  # enough for a narrow interval; each brings all its candidates
SESSION_USERS, SESSION_NEGATIVES = 5_000, 100  # up to four moments a user
GATE_SESSION_USERS = 500
LABELS, _LABELLED = "labels", "labelled_item_ids"


@dataclass(frozen=True, slots=True)
class Examples:
    """Turns labelled profiles into rows of TRAINING_SET; keeps all positives and `negatives` others a user."""

    candidates: Path
    candidate_count: int
    as_of_at: int
    negatives: int

    def __call__(self, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Users of whom no candidate came true teach nothing and are left out."""
        bundle, _ = stages_of(self.candidates, None)
        for rows in in_batches(frames):
            found = candidate_features(bundle, requests_of(rows, self.as_of_at), self.candidate_count)
            for row, one in zip(rows.itertuples(index=False), found, strict=True):
                wanted = dict(zip(getattr(row, _LABELLED), getattr(row, LABELS), strict=True))
                labels = labels_of_rows(bundle, wanted, one.rows)
                if labels.any():
                    user = getattr(row, USER_ID)
                    kept = kept_rows(labels, self.negatives, seed=user)
                    items = [bundle.items.external_ids[place] for place in one.rows[kept]]
                    columns = {USER_ID: user, SEEN_COUNT: np.int32(0), ITEM_ID: items, LABEL: labels[kept]}
                    yield pd.DataFrame(columns | {FEATURES: list(one.features[kept])})


def run(context: JobContext) -> None:
    """Write the partitions of training_set that train and gate the interval's ranker."""
    training, gate = label_starts(context)
    _build(context, training, users=context.settings.training_users, rows=TRAINING_ROWS)
    _build(context, gate, users=min(GATE_USERS, context.settings.training_users), rows=None)


def grade(settings: Settings) -> Column:
    """Grade of an event by its type: 1 for weights up to 1, one more for each doubling (a purchase of 8 is 4)."""
    named = parse_event_weights(settings.event_weights)
    column = F.lit(1)
    for name, weight in named.items():
        column = F.when(F.col(EVENT_TYPE) == name, F.lit(1 + int(math.log2(max(weight, 1.0))))).otherwise(column)
    return column


def labels_of(events: DataFrame, settings: Settings, *, users: int) -> DataFrame:
    """Users sampled by hash of their id, with the items of their label events and the best grade of each."""
    graded = events.groupBy(USER_ID, ITEM_ID).agg(F.max(grade(settings)).alias(LABEL))
    pairs = F.array_sort(F.collect_list(F.struct(ITEM_ID, LABEL)))
    by_user = graded.groupBy(USER_ID).agg(pairs.alias(LABELS))
    sampled = by_user.orderBy(F.xxhash64(USER_ID), USER_ID).limit(users)
    return sampled.select(
        USER_ID, F.col(f"{LABELS}.{ITEM_ID}").alias(ITEM_IDS), F.col(f"{LABELS}.{LABEL}").alias(LABELS)
    )


def _build(context: JobContext, then: Interval, *, users: int, rows: int | None) -> None:
    watch = Stopwatch()
    scratch = context.layout.cache / "training" / context.key / then.key
    past = replace(context, interval=then, scratch=scratch, cold=True)
    shutil.rmtree(scratch, ignore_errors=True)
    for job in (build_interactions, build_features, train_candidates):
        job.run(past)
    window = context.settings.label_window_hours * HOUR_SECONDS
    inputs = {"clean_events": window_digest(context, past.end_seconds + window)}
    inputs |= input_digests(past, INTERACTIONS, USER_STATS_TABLE)
    events = read_span(context, past.end_seconds, past.end_seconds + window)
    negatives = past.settings.candidate_count if rows is None else max(1, rows // users)
    of_hour = _of_hour(past, events, users=users, negatives=negatives)
    session_users, session_negatives = (SESSION_USERS, SESSION_NEGATIVES) if rows else (GATE_SESSION_USERS, negatives)
    of_sessions = _of_sessions(past, events, users=min(users, session_users), negatives=session_negatives)
    made = of_hour.unionByName(of_sessions)
    # the sets are the lake's, under the hour whose features they hold
    note = JobNote(JOB, watch, inputs, {"negatives_a_user": negatives, "for": context.key})
    save_frame(replace(past, scratch=None), made, table=TRAINING_SET, note=note)
    shutil.rmtree(scratch)


def _of_hour(past: JobContext, events: DataFrame, *, users: int, negatives: int) -> DataFrame:
    """Rows of people as the hour knew them."""
    labelled = labels_of(events, past.settings, users=users)
    examples = Examples(past.candidate_bundle.resolve(), past.settings.candidate_count, past.end_seconds, negatives)
    known = profiles(read_interval(past, INTERACTIONS), read_interval(past, USER_STATS_TABLE), labelled)
    found = known.join(F.broadcast(labelled.withColumnRenamed(ITEM_IDS, _LABELLED)), USER_ID, how="inner")
    return found.mapInPandas(examples, TRAINING_SET.spark_ddl)


def _of_sessions(past: JobContext, events: DataFrame, *, users: int, negatives: int) -> DataFrame:
    """Rows of moments in sessions, of people with and without a profile."""
    happened = happened_to(events, grade(past.settings), users=users)
    weights = parse_event_weights(past.settings.event_weights)
    count = past.settings.candidate_count
    examples = MomentExamples(past.candidate_bundle.resolve(), _session_model(past), count, weights, negatives)
    known = profiles(read_interval(past, INTERACTIONS), read_interval(past, USER_STATS_TABLE), happened)
    spread = past.session.sparkContext.defaultParallelism * PARTITIONS_A_CORE  # what follows is work and not bytes
    found = happened.join(known, USER_ID, how="left").repartition(spread, USER_ID)
    return found.mapInPandas(examples, TRAINING_SET.spark_ddl)


def _session_model(past: JobContext) -> Path | None:
    """The session model as that hour could have known it, saved beside its candidates."""
    model = fit_as_of(past, past.end_seconds)
    if model is None or past.scratch is None:
        return None
    folder = past.scratch / "session"
    model.save(folder)
    return folder.resolve()


if __name__ == "__main__":
    run_alone(run, spark=True)

"""Build the training and gate sets: candidates and features as of one instant, labels from the window after it.

With T the interval's end and w the label window: features as of T - 2w with labels of [T - 2w, T - w) train,
features as of T - w with labels of [T - w, T) gate. What an hour would have known then is computed again, in a
scratch folder, by the same jobs.
"""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.features import USER_STATS_TABLE
from contracts.intervals import Interval
from contracts.lake import EVENT_TYPE, FEATURES, INTERACTIONS, ITEM_ID, ITEM_IDS, LABEL, TRAINING_SET, USER_ID
from contracts.settings import Settings, parse_event_weights
from models.candidate_bundle import CandidateBundle
from models.two_stage import candidate_features
from spark_jobs import build_features, build_interactions, train_candidates
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.outputs import JobNote, input_digests
from spark_jobs.partitions import read_interval, save_frame
from spark_jobs.profiles import in_batches, profiles, requests_of
from spark_jobs.training_windows import label_starts
from spark_jobs.window import HOUR_SECONDS, read_span, window_digest

JOB = "build_training_set"
TRAINING_ROWS = 2_000_000  # what a ranker trains on in a few minutes and a gigabyte
GATE_USERS = 4_000  # enough for a narrow interval; each brings all its candidates
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
        bundle = _bundle_of(self.candidates)
        for rows in in_batches(frames):
            found = candidate_features(bundle, requests_of(rows, self.as_of_at), self.candidate_count)
            for row, one in zip(rows.itertuples(index=False), found, strict=True):
                labels = _labels_of(bundle, row, one.rows)
                if labels.any():
                    user = getattr(row, USER_ID)
                    kept = np.sort(self._kept(labels, seed=user))
                    items = [bundle.items.external_ids[place] for place in one.rows[kept]]
                    columns = {USER_ID: user, ITEM_ID: items, LABEL: labels[kept]}
                    yield pd.DataFrame(columns | {FEATURES: list(one.features[kept])})

    def _kept(self, labels: np.ndarray, seed: str) -> np.ndarray:
        others = np.flatnonzero(labels == 0)
        if len(others) > self.negatives:
            random = np.random.default_rng(list(seed.encode()))  # drawn by the user's id: the same in any order
            others = random.choice(others, self.negatives, replace=False)
        return np.concatenate([np.flatnonzero(labels), others])


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
    labelled = labels_of(read_span(context, past.end_seconds, past.end_seconds + window), context.settings, users=users)
    negatives = past.settings.candidate_count if rows is None else max(1, rows // users)
    examples = Examples(past.candidate_bundle.resolve(), context.settings.candidate_count, past.end_seconds, negatives)
    known = profiles(read_interval(past, INTERACTIONS), read_interval(past, USER_STATS_TABLE), labelled)
    made = known.join(F.broadcast(labelled.withColumnRenamed(ITEM_IDS, _LABELLED)), USER_ID, how="inner").mapInPandas(
        examples, TRAINING_SET.spark_ddl
    )
    # the sets are the lake's, under the hour whose features they hold
    note = JobNote(JOB, watch, inputs, {"negatives_a_user": negatives, "for": context.key})
    save_frame(replace(past, scratch=None), made, table=TRAINING_SET, note=note)
    shutil.rmtree(scratch)


def _labels_of(bundle: CandidateBundle, row: object, rows: np.ndarray) -> np.ndarray:
    grades = np.zeros(len(bundle.items), np.int32)
    labelled = bundle.items.rows(list(getattr(row, _LABELLED)))
    known = labelled >= 0
    grades[labelled[known]] = np.asarray(getattr(row, LABELS), np.int32)[known]
    return grades[rows]


@lru_cache(maxsize=1)
def _bundle_of(folder: Path) -> CandidateBundle:
    return CandidateBundle.load(folder)


if __name__ == "__main__":
    run_alone(run, spark=True)

"""Score the head: the list of each head user, by models.two_stage.recommend inside Spark."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from contracts.features import USER_STATS_TABLE
from contracts.lake import HEAD_USERS, INTERACTIONS, ITEM_IDS, LISTS, SCORES, USER_ID
from models import candidate_bundle, ranker
from models.bundle import read_manifest
from models.two_stage import Bundle, load_bundle, recommend
from spark_jobs.context import JobContext, Stopwatch, run_alone
from spark_jobs.outputs import JobNote, input_digests
from spark_jobs.partitions import read_interval, save_frame
from spark_jobs.profiles import in_batches, profiles, requests_of
from spark_jobs.rankers import ranker_of
from spark_jobs.serving_models import name_serving_model

JOB = "score_head"
CANDIDATES_INPUT, RANKER_INPUT = "candidate_bundle", "ranker_bundle"


@dataclass(frozen=True, slots=True)
class Scoring:
    """What a worker needs to score: where the bundles lie, and as of when (epoch seconds)."""

    candidates: Path
    ranker: Path
    cache: Path
    candidate_count: int
    list_size: int
    as_of_at: int

    def __call__(self, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Turn frames of `profiles` into frames of LISTS."""
        bundle = bundle_of(self.candidates, self.ranker, self.cache, self.candidate_count)
        for rows in in_batches(frames):
            ranked = recommend(bundle, requests_of(rows, self.as_of_at), self.list_size)
            columns = {USER_ID: rows[USER_ID].to_numpy(), ITEM_IDS: [list(one.item_ids) for one in ranked]}
            yield pd.DataFrame(columns | {SCORES: [one.scores for one in ranked]})


def run(context: JobContext) -> None:
    """Write the interval's partition of lists, and name the models that answer on demand for it."""
    watch = Stopwatch()
    scoring = scoring_of(context)
    inputs = input_digests(context, HEAD_USERS, USER_STATS_TABLE, INTERACTIONS)
    inputs[CANDIDATES_INPUT] = read_manifest(scoring.candidates, made_by=candidate_bundle.MADE_BY)["digest"]
    inputs[RANKER_INPUT] = read_manifest(scoring.ranker, made_by=ranker.MADE_BY)["digest"]
    rows = profiles(
        read_interval(context, INTERACTIONS),
        read_interval(context, USER_STATS_TABLE),
        read_interval(context, HEAD_USERS),
    )
    lists = rows.mapInPandas(scoring, LISTS.spark_ddl)
    figures = {"candidates": scoring.candidate_count, "ranker": scoring.ranker.name}
    save_frame(context, lists, table=LISTS, note=JobNote(JOB, watch, inputs, figures))
    name_serving_model(context)


def scoring_of(context: JobContext) -> Scoring:
    """The scoring of an interval; MissingInput when there is no ranker yet."""
    return Scoring(
        context.candidate_bundle.resolve(),
        ranker_of(context).resolve(),
        context.layout.cache.resolve(),
        context.settings.candidate_count,
        context.settings.list_size,
        context.end_seconds,
    )


@lru_cache(maxsize=1)
def bundle_of(candidates: Path, ranker_folder: Path, cache: Path, candidate_count: int) -> Bundle:
    """The loaded bundle, once a worker process."""
    return load_bundle(candidates, ranker_folder, cache, candidate_count)


if __name__ == "__main__":
    run_alone(run, spark=True)

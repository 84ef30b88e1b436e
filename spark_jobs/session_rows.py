"""Training rows from the middle of sessions: what a label window's first sessions teach, person by person."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.lake import (
    EVENT_ID,
    EVENT_TYPE,
    FEATURES,
    ITEM_ID,
    LABEL,
    OCCURRED_AT,
    SEEN_COUNT,
    SESSION_ID,
    USER_ID,
    VALUE,
)
from models.candidate_bundle import CandidateBundle
from models.live_state import StateTerms, categories_of
from models.profile import Profile
from models.session_examples import Happened, Moment, moments_of
from models.session_stage import SessionStage
from models.two_stage import CandidateFeatures, candidate_features, load_session_stage
from models.user_state import LiveSession
from spark_jobs.profiles import STATS, in_batches, requests_of

MOST_EVENTS = 1_000  # of a person in a label window
AT, GRADE, EVENTS = "at_seconds", "grade", "happened"
STRANGER = "anon:"
_DRAWN = "drawn"


@dataclass(frozen=True, slots=True)
class MomentExamples:
    """Turns people with what happened into rows of TRAINING_SET; keeps all positives and `negatives` others."""

    candidates: Path
    session: Path | None
    candidate_count: int
    event_weights: dict[str, float]
    negatives: int

    def __call__(self, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Moments after which no candidate came true teach nothing and are left out."""
        bundle, stage = stages_of(self.candidates, self.session)
        terms = StateTerms(0, self.event_weights, categories_of(bundle))
        for rows in in_batches(frames):
            known = _profiles(rows)
            for user_id, events in zip(rows[USER_ID], rows[EVENTS], strict=True):
                happened = _happened(events)
                for name, profile in _as_known_and_not(user_id, known.get(user_id)):
                    for moment in moments_of(name, profile, happened, terms):
                        (found,) = candidate_features(bundle, [moment.request], self.candidate_count, stage)
                        yield from self._rows(bundle, moment, found)

    def _rows(self, bundle: CandidateBundle, moment: Moment, found: CandidateFeatures) -> Iterator[pd.DataFrame]:
        labels = labels_of_rows(bundle, moment.wanted, found.rows)
        if not labels.any():
            return
        kept = kept_rows(labels, self.negatives, seed=moment.request.user_id)
        items = [bundle.items.external_ids[row] for row in found.rows[kept]]
        columns = {USER_ID: moment.request.user_id, ITEM_ID: items, LABEL: labels[kept]}
        columns[SEEN_COUNT] = np.int32(len(moment.request.session.item_ids))
        yield pd.DataFrame(columns | {FEATURES: list(found.features[kept])})


def labels_of_rows(bundle: CandidateBundle, wanted: dict[str, int], rows: np.ndarray) -> np.ndarray:
    """Grade of each candidate, int32; 0 for what was not wanted."""
    grades = np.zeros(len(bundle.items), np.int32)
    wanted_rows = bundle.items.rows(list(wanted))
    grades[wanted_rows[wanted_rows >= 0]] = np.array(list(wanted.values()), np.int32)[wanted_rows >= 0]
    return grades[rows]


def kept_rows(labels: np.ndarray, negatives: int, *, seed: str) -> np.ndarray:
    """Places of all positives and of `negatives` others, ascending; drawn by the seed, so the same in any order."""
    others = np.flatnonzero(labels == 0)
    if len(others) > negatives:
        others = np.random.default_rng(list(seed.encode())).choice(others, negatives, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(labels), others]))


def happened_to(events: DataFrame, grade: Column, *, users: int) -> DataFrame:
    """Users sampled by hash of their id, with what they did in order; events of one instant are ordered by a draw."""
    session = F.coalesce(SESSION_ID, F.date_format(OCCURRED_AT, "yyyy-MM-dd"))
    parts = (
        F.unix_micros(OCCURRED_AT).alias(AT), F.xxhash64(EVENT_ID).alias(_DRAWN), ITEM_ID, EVENT_TYPE,
        F.coalesce(VALUE, F.lit(float("nan"))).alias(VALUE), session.alias(SESSION_ID), grade.alias(GRADE),
    )  # fmt: skip
    ordered = F.slice(F.array_sort(F.collect_list(F.struct(*parts))), 1, MOST_EVENTS)
    by_user = events.groupBy(USER_ID).agg(ordered.alias(EVENTS))
    return by_user.orderBy(F.xxhash64(USER_ID), USER_ID).limit(users)


def _as_known_and_not(user_id: str, profile: Profile | None) -> Iterator[tuple[str, Profile | None]]:
    """The person, and the same once more as someone not logged in: strangers are rare where everybody is known."""
    yield user_id, profile
    if profile is not None:
        yield STRANGER + user_id, None


def _happened(events: np.ndarray) -> Happened:
    rows = pd.DataFrame.from_records([event if isinstance(event, dict) else event.asDict() for event in events])
    session = LiveSession(
        tuple(rows[ITEM_ID]),
        tuple(rows[EVENT_TYPE]),
        rows[AT].to_numpy(np.int64) // 1_000_000,
        rows[VALUE].to_numpy(np.float64),
    )
    return Happened(session, pd.factorize(rows[SESSION_ID])[0].astype(np.int64), rows[GRADE].to_numpy(np.int32))


def _profiles(rows: pd.DataFrame) -> dict[str, Profile]:
    known = rows[rows[STATS].notna()]
    return {one.user_id: Profile(one.own, one.user_stats) for one in requests_of(known, 0)}


@lru_cache(maxsize=1)
def stages_of(candidates: Path, session: Path | None) -> tuple[CandidateBundle, SessionStage | None]:
    """The candidates and the session model of a moment, once a worker process."""
    bundle = CandidateBundle.load(candidates)
    return bundle, load_session_stage(bundle, session, candidates.parent / "compiled")

"""Served features against the batch's: what was logged is computed again from the tables of the lake, by one function.

The profile store, its encoding, the worker and its hour stand between the two; nothing of them may show.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
from numpy.typing import NDArray

from contracts.errors import CorruptData, MissingInput
from contracts.event_weights import parse_event_weights
from contracts.feature_record import ORDER_DIGEST, FeatureRecord
from contracts.features import FEATURE_ORDER, USER_STATS, USER_STATS_TABLE
from contracts.lake import INTERACTIONS, USER_ID, Table
from contracts.manifest import digest_of
from contracts.serving_model import read_serving_model
from contracts.settings import Layout, Settings
from models.candidate_bundle import CandidateBundle
from models.item_filter import FilterMasks
from models.live_state import StateTerms, categories_of, lay_over
from models.profile import Profile
from models.session_stage import SessionStage
from models.tables import arrow_schema
from models.two_stage import candidate_features, load_session_stage
from models.user_state import LiveSession, OwnItems, Request

OTHER_ORDER, GONE, UNREAD, GARBLED = (
    "logged with other features than this version knows",
    "of an hour whose models or tables are gone",
    "served without the profile that the lake has",
    "unreadable",
)


@dataclass(frozen=True, slots=True)
class Skew:
    """What came of a comparison: answers and rows compared, answers left out by reason, and what differs.

    `other_candidates` counts answers with other candidates; `differing` is the share of rows by feature, all of them.
    """

    answers: int
    rows: int
    left_out: Mapping[str, int]
    other_candidates: int
    differing: Mapping[str, float]

    @property
    def is_none(self) -> bool:
        """Whether nothing differs."""
        return not self.other_candidates and not any(self.differing.values())


@dataclass(frozen=True, slots=True)
class _Models:
    """What an hour's features are computed with."""

    candidates: CandidateBundle
    session: SessionStage | None
    masks: FilterMasks


def logged_lines(folder: Path, most: int) -> list[bytes]:
    """The newest lines of the log of features, at most so many."""
    lines: list[bytes] = []
    for file in sorted(folder.glob("*.jsonl"), reverse=True):
        lines[:0] = file.read_bytes().splitlines()[-(most - len(lines)) :]
        if len(lines) >= most:
            break
    return lines


def measure_skew(settings: Settings, lines: Iterable[bytes]) -> Skew:
    """Compute every logged answer's features again, from the lake, and compare."""
    left_out: Counter[str] = Counter()
    differing, rows, answers, other_candidates = np.zeros(len(FEATURE_ORDER)), 0, 0, 0
    for interval, records in _by_hour(lines, left_out).items():
        try:
            again = list(_computed_again(settings, interval, records, left_out))
        except (MissingInput, CorruptData):
            left_out[GONE] += len(records)
            continue
        for served, computed in again:
            answers += 1
            other_candidates += computed is None
            if computed is not None:
                rows += len(computed)
                differing += (~((served == computed) | (np.isnan(served) & np.isnan(computed)))).sum(axis=0)
    shares = (differing / max(rows, 1)).tolist()
    return Skew(answers, rows, dict(left_out), other_candidates, dict(zip(FEATURE_ORDER, shares, strict=True)))


def _by_hour(lines: Iterable[bytes], left_out: Counter[str]) -> dict[str, list[FeatureRecord]]:
    found: dict[str, list[FeatureRecord]] = defaultdict(list)
    for line in lines:
        try:
            record = FeatureRecord.decode(line)
            if record.order_digest != ORDER_DIGEST:
                left_out[OTHER_ORDER] += 1
                continue
            _ = record.feature_bytes
        except CorruptData:  # such as a line whose writer was killed
            left_out[GARBLED] += 1
            continue
        found[record.interval].append(record)
    return found


def _computed_again(
    settings: Settings, interval: str, records: Sequence[FeatureRecord], left_out: Counter[str]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32] | None]]:
    """Served and computed rows of each answer; none for the latter where the candidates are others."""
    layout = Layout(settings.root)
    named = read_serving_model(layout, interval)
    candidates = CandidateBundle.load(named.candidates_folder(layout))
    session = load_session_stage(candidates, named.session_folder(layout), layout.cache)
    models = _Models(candidates, session, FilterMasks(candidates.attributes))
    weights = parse_event_weights(settings.event_weights)
    profiles = profiles_in_lake(layout.lake, interval, {record.user_id for record in records})
    for record in records:
        profile = None if record.forgotten_ms >= named.as_of_at * 1_000 else profiles.get(record.user_id)
        if profile is not None and not record.known:
            left_out[UNREAD] += 1
            continue
        terms = StateTerms(record.as_of_at, weights, categories_of(candidates))
        served = np.frombuffer(record.feature_bytes, "<f4").reshape(-1, len(FEATURE_ORDER))
        yield served, _features(record, lay_over(profile, record.user_id, _session(record), terms), models)


def _features(record: FeatureRecord, state: Request, models: _Models) -> NDArray[np.float32] | None:
    request = replace(
        state,
        excluded=frozenset(record.excluded),
        allowed=None if record.items is None else frozenset(record.items),
        allowed_rows=models.masks.open_rows(record.filter) if record.filter else None,
    )
    (found,) = candidate_features(models.candidates, [request], record.count, models.session)
    ids = models.candidates.items.external_ids
    if digest_of(*(ids[row] for row in found.rows)) != record.candidates_digest:
        return None
    return found.features[np.searchsorted(found.rows, models.candidates.items.rows(record.item_ids))]


def profiles_in_lake(lake: Path, interval: str, users: set[str]) -> dict[str, Profile]:
    """The state of these people as the tables of an hour have it; MissingInput when they are gone."""
    own: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in _rows_of(INTERACTIONS, lake, interval, users):
        own[str(row[USER_ID])].append(row)
    found = {}
    for row in _rows_of(USER_STATS_TABLE, lake, interval, users):
        stats = np.array([np.nan if row[name] is None else row[name] for name in USER_STATS], np.float64)
        if own[str(row[USER_ID])]:
            found[str(row[USER_ID])] = Profile(OwnItems.from_rows(own[str(row[USER_ID])]), stats)
    return found


def _rows_of(table: Table, lake: Path, interval: str, users: set[str]) -> list[dict[str, object]]:
    files = [str(file) for file in sorted(table.partition(lake, interval).glob("*.parquet"))]
    if not files:
        raise MissingInput(f"table {table.name} has no hour {interval} in {lake}")
    data = ds.dataset(files, schema=arrow_schema(table), format="parquet")
    return data.to_table(filter=ds.field(USER_ID).isin(sorted(users))).to_pylist()  # type: ignore[no-any-return]


def _session(record: FeatureRecord) -> LiveSession:
    kinds, items, instants, values = zip(*record.events, strict=True) if record.events else ((), (), (), ())
    return LiveSession.of_columns(items, kinds, instants, values)
